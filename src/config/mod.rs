//! The configuration: where it comes from, what it may say, and what is in force.
//!
//! Four layers, each over the one before: defaults, one file, environment variables, flags. Every
//! value remembers which of them it came from.

mod duration;
mod environment;
mod error;
mod file;
mod listing;
mod load;
mod model;
mod nearest;
mod origin;
mod secret;
mod setting;
#[cfg(test)]
mod tests;
mod value;

pub use duration::{BadDuration, parse_duration};
pub use environment::Environment;
pub use error::ConfigError;
pub use listing::Listed;
pub use load::{Assignment, Overrides};
pub use model::{
    Backend, ClusterConfig, Config, KeyBinding, NodeSettings, ReconcilerConfig, Reconciling,
    Services, Storage, UiConfig, WorkerConfig,
};
pub use origin::Origin;
pub use secret::Secret;

/// A configuration file with every setting at its default.
pub const SAMPLE: &str = include_str!("sample.toml");

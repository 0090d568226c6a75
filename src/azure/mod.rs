//! A cluster on Azure for Rust programs, under the names that the JavaScript adapter uses:
//! [`AzureQueueAdapter`] works, [`CosmosDbContext`] is the state of one run,
//! [`RedisCoordinationStore`] holds leases and counters, [`AzureReconciler`] resumes stalled runs.
//!
//! ```no_run
//! use flowcraft_tui::{azure::AzureQueueAdapter, blueprint::Library, cluster::AzureSettings,
//!     nodes::Registry, worker::WorkerConfig};
//!
//! # async fn example(library: Library, registry: Registry) -> Result<(), Box<dyn std::error::Error>> {
//! let settings = AzureSettings::from_variables()?;
//! let worker = AzureQueueAdapter::new(settings, library, registry, WorkerConfig::named("w1"))?;
//! worker.start().await; // until worker.stop() is called, and what it runs has ended
//! # Ok(())
//! # }
//! ```

mod adapter;
mod context;
mod reconciler;

pub use self::{
    adapter::AzureQueueAdapter,
    context::CosmosDbContext,
    reconciler::{AzureReconciler, AzureReconcilerOptions, create_azure_reconciler},
};
pub use crate::cluster::RedisCoordinationStore;

//! A workflow engine for Flowcraft blueprints, and a terminal dashboard around it.
//!
//! The layers, each using only those before it: [`blueprint`] (what a workflow is), [`engine`]
//! (what must happen next), [`nodes`] (what a step does), [`cluster`] (where jobs, state and leases
//! live), [`worker`] (the loop that ties them), [`operations`] (what an operator can do),
//! [`monitor`] (what an operator sees), [`recording`] (the same, kept in a file), [`tui`] and [`cli`]
//! (the two faces); beside them [`config`], and [`demo`] (what there is to look around in).

pub mod azure;
pub mod blueprint;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod engine;
mod log_text;
pub mod monitor;
pub mod nodes;
pub mod operations;
pub mod recording;
pub mod tui;
pub mod worker;

pub use operations::run_in_memory;

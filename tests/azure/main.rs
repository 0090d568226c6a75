//! The cluster on Azure, on real servers: `tests/run.sh` starts them.

#![allow(clippy::unwrap_used)]

#[path = "../support/case.rs"]
mod case;
#[path = "../support/played.rs"]
mod played;
#[path = "../support/registry.rs"]
mod registry;
#[path = "../support/shapes.rs"]
#[allow(dead_code, reason = "shared with the benches")]
mod shapes;

mod conformance;
mod cost;
mod neighbours;
mod outages;
mod queue;
mod raw;
mod redis;
mod services;
mod state;

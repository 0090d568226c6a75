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
#[path = "../support/situations/mod.rs"]
mod situations;
#[path = "../support/stage.rs"]
#[allow(dead_code, reason = "shared with tests in memory, each of which uses a part of it")]
mod stage;
#[path = "../support/tampered.rs"]
#[allow(dead_code, reason = "likewise")]
mod tampered;

mod conformance;
mod cost;
mod defects;
mod explain;
mod monitor;
mod neighbours;
mod outages;
mod queue;
mod raw;
mod redis;
mod services;
mod state;

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
#[path = "../support/terminal.rs"]
#[allow(dead_code, reason = "likewise")]
mod terminal;
#[path = "../support/triage.rs"]
#[allow(dead_code, reason = "likewise")]
mod triage;

mod conformance;
mod cost;
mod dashboard;
mod defects;
mod explain;
mod letters;
mod monitor;
mod neighbours;
mod outages;
mod queue;
mod raw;
mod redis;
mod services;
mod state;

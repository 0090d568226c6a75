//! The cluster on Azure, on real servers: `tests/run.sh` starts them.

#![allow(clippy::unwrap_used)]

mod control;
mod queue;
mod services;

//! The rules that keep a run from stalling, from running something twice and from losing something,
//! each with an execution that needs it; and the steps of a job. The names carry the numbers of the
//! rules.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../support/registry.rs"]
mod registry;
// Each of the programs that share it uses a part of it.
#[allow(dead_code)]
#[path = "../support/stage.rs"]
mod stage;
// Likewise.
#[allow(dead_code)]
#[path = "../support/tampered.rs"]
mod tampered;

mod children;
mod fencing;
mod leases;
mod loops;
mod sizes;
mod starts;
mod steps;
mod timers;
mod tries;

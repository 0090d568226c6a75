//! Runs that are shared with JavaScript workers: those are played by what they read and write, on the
//! in-memory cluster and a paused clock, beside workers of this program.

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

mod actions;
mod crashes;
mod documents;
mod javascript;
mod keys;
mod messages;
mod overwrites;
mod random;
mod scene;
mod split_queue;
mod splits;
mod statuses;

//! The commands, a file each.

pub(super) mod blueprints;
pub(super) mod cancel;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod dead_letters;
pub(super) mod doctor;
mod enqueued;
pub(super) mod explain;
#[cfg(test)]
mod fake;
pub(super) mod headless;
pub(super) mod letters;
pub(super) mod lint;
pub(super) mod locks;
pub(super) mod man;
pub(super) mod provision;
pub(super) mod queue;
pub(super) mod reconcile;
pub(super) mod requeue;
pub(super) mod resume;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod show;
pub(super) mod start;
#[cfg(test)]
mod tests;
pub(super) mod workers;

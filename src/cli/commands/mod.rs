//! The commands, a file each.

pub(super) mod completions;
pub(super) mod config;
pub(super) mod dead_letters;
#[cfg(test)]
mod fake;
pub(super) mod locks;
pub(super) mod man;
pub(super) mod provision;
pub(super) mod queue;
pub(super) mod runs;
#[cfg(test)]
mod tests;
pub(super) mod workers;

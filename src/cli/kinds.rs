//! The kinds of node that the configuration defines, and the worker that runs them.

use std::collections::{BTreeMap, BTreeSet};

use super::exit::CliError;
use crate::{
    config::{Config, NodeSettings, Reconciling},
    nodes::{BUILT_IN, NodeDefinition, Registry},
    worker::{ReconcilerConfig, WorkerConfig},
};

/// A kind of node as the configuration defines it.
pub(super) struct Kind<'a> {
    pub(super) settings: &'a NodeSettings,
    pub(super) definition: NodeDefinition,
}

/// Reads all `[nodes.NAME]` tables.
pub(super) fn kinds(config: &Config) -> Result<BTreeMap<&str, Kind<'_>>, CliError> {
    config.nodes.iter().map(|(name, node)| Ok((name.as_str(), kind(name, node)?))).collect()
}

/// Reads a `[nodes.NAME]` table.
fn kind<'a>(name: &str, settings: &'a NodeSettings) -> Result<Kind<'a>, CliError> {
    let place = &settings.origin;
    if BUILT_IN.contains(&name) {
        return Err(CliError::usage(format!("{place}: [nodes.{name}]: this kind is built in"))
            .hint("choose another name"));
    }
    let definition = settings.table.clone().try_into().map_err(|error: toml::de::Error| {
        CliError::usage(format!("{place}: [nodes.{name}]: {}", error.message()))
    })?;
    Ok(Kind { settings, definition })
}

/// What nodes may use beside the built-in kinds.
pub(super) fn names(config: &Config) -> BTreeSet<String> {
    config.nodes.keys().cloned().collect()
}

/// The code for all kinds that the configuration defines.
pub(super) fn registry(config: &Config) -> Result<Registry, CliError> {
    let mut registry = Registry::new();
    for (name, Kind { settings, definition }) in kinds(config)? {
        let node = definition.build(name, &settings.folder).map_err(|error| {
            CliError::usage(format!("{}: {error}", settings.origin)).because(error)
        })?;
        registry.insert(name, node);
    }
    Ok(registry)
}

/// How the worker of this process works.
pub(super) fn worker_config(config: &Config) -> WorkerConfig {
    WorkerConfig {
        slots: config.worker.slots.try_into().unwrap_or(usize::MAX),
        max_dequeue_count: config.worker.max_dequeue_count,
        lease: config.worker.lease,
        reconciler: (config.reconciler.mode == Reconciling::Enabled).then_some(ReconcilerConfig {
            every: config.reconciler.every,
            stalled_after: config.reconciler.stalled_after,
        }),
        ..WorkerConfig::named(config.worker.name.clone())
    }
}

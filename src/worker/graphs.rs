//! The graphs of the loaded blueprints, prepared once each.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    blueprint::{Blueprint, BlueprintId, Library},
    engine::{Graph, Head},
};

/// The graphs of the loaded blueprints.
#[derive(Debug)]
pub(crate) struct Graphs {
    library: Library,
    prepared: Mutex<HashMap<BlueprintId, Arc<Graph>>>,
}

/// Why a run's blueprint can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableBlueprint {
    /// It is not loaded here.
    #[error(
        "blueprint \"{0}\" is not loaded here: put its file where this worker looks for blueprints"
    )]
    Unknown(BlueprintId),
    /// Nobody says which one it is.
    #[error(
        "the run's document does not say which blueprint it follows, and no message of the run has come by here"
    )]
    Unnamed,
    /// It is loaded in another version.
    #[error(
        "the run follows version {} of blueprint \"{id}\", and version {} is loaded here",
        version(.run.as_ref()),
        version(.loaded.as_ref())
    )]
    OtherVersion {
        /// The blueprint.
        id: BlueprintId,
        /// The run's version.
        run: Option<String>,
        /// The version that is loaded here.
        loaded: Option<String>,
    },
}

fn version(version: Option<&String>) -> String {
    version.map_or_else(|| "(none)".to_owned(), |version| format!("\"{version}\""))
}

impl Graphs {
    pub(crate) fn new(library: Library) -> Self {
        Self { library, prepared: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// The graph of a blueprint as it is loaded now.
    pub(crate) fn get(&self, id: &BlueprintId) -> Option<Arc<Graph>> {
        let blueprint = self.library.get(id)?;
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(graph) = prepared.get(id)
            && Arc::ptr_eq(graph.blueprint(), &blueprint)
        {
            return Some(graph.clone());
        }
        let graph = Arc::new(Graph::new(blueprint));
        prepared.insert(id.clone(), graph.clone());
        Some(graph)
    }

    /// The graph that a run follows, if it is loaded in the run's version. A run or a blueprint
    /// without a version goes with any.
    pub(crate) fn of_run(&self, head: &Head) -> Result<Arc<Graph>, UnusableBlueprint> {
        self.of_run_or(head, None)
    }

    /// As [`Graphs::of_run`]; where the run does not say which blueprint it follows, it is the one
    /// that a message of it named.
    pub(crate) fn of_run_or(
        &self,
        head: &Head,
        named: Option<&BlueprintId>,
    ) -> Result<Arc<Graph>, UnusableBlueprint> {
        let id = head.blueprint().or(named).ok_or(UnusableBlueprint::Unnamed)?;
        let graph = self.get(id).ok_or_else(|| UnusableBlueprint::Unknown(id.clone()))?;
        let loaded = graph.blueprint().version();
        match &head.blueprint_version {
            Some(version) if loaded != Some(version) => Err(UnusableBlueprint::OtherVersion {
                id: id.clone(),
                run: head.blueprint_version.clone(),
                loaded: loaded.map(str::to_owned),
            }),
            _ => Ok(graph),
        }
    }

    /// A graph without nodes: enough to fail a node, or to cancel a run, whose blueprint is not
    /// loaded here.
    pub(crate) fn stand_in(head: &Head) -> Arc<Graph> {
        Arc::new(Graph::new(Arc::new(Blueprint {
            id: head.blueprint_id.clone(),
            nodes: Vec::new(),
            edges: Vec::new(),
            metadata: serde_json::Map::new(),
        })))
    }
}

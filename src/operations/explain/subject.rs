//! The run that is asked about, as far as it could be read.

use std::{collections::BTreeMap, sync::Arc};

use super::{cause::Cause, surroundings::Looked};
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{ClusterError, StatusItem},
    engine::{Graph, RunDocument, RunStatus, Timestamp},
    worker::UnusableBlueprint,
};

/// The run that is asked about.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) run: RunId,
    pub(super) status: Looked<Option<StatusItem>>,
    pub(super) document: Looked<Option<RunDocument>>,
    /// Whether the work that follows the end of the run is done.
    pub(super) closed: Closed,
    /// The graph that it follows, if its blueprint is loaded here.
    pub(super) graph: Result<Arc<Graph>, UnusableBlueprint>,
    /// The leases of its nodes: only of those where one matters.
    pub(super) leases: BTreeMap<NodeId, Looked<Option<Lease>>>,
    /// The child runs that its nodes wait for.
    pub(super) children: BTreeMap<RunId, Child>,
}

/// Whether the work that follows the end of a run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    Yes,
    /// Its final status was not written, or its parent was not told.
    No,
    /// The run goes on, or nobody can say.
    Unknown,
}

/// The lease of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) value: String,
    pub(super) ends: Option<Timestamp>,
}

/// A child run.
#[derive(Debug)]
pub(super) enum Child {
    /// It was never started.
    Missing,
    /// It could not be read.
    Unread(ClusterError),
    /// It is there.
    There {
        status: RunStatus,
        finished_at: Option<Timestamp>,
        /// Why it is where it is.
        causes: Vec<Cause>,
    },
    /// There are too many to look into each.
    NotAsked,
}

impl Subject {
    /// The document, if there is one and it could be read.
    pub(super) fn ledger(&self) -> Option<&RunDocument> {
        self.document.as_ref().ok()?.as_ref()
    }

    /// The status item, if there is one and it could be read.
    pub(super) fn item(&self) -> Option<&StatusItem> {
        self.status.as_ref().ok()?.as_ref()
    }
}

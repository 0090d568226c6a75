//! What a process knows of a run's document, and knew of it before.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    blueprint::NodeId,
    cluster::Version,
    engine::{RunDocument, Timestamp},
};

/// How many of the states that a document was in are remembered, to tell what a neighbour wrote
/// over from what it wrote.
const PAST: usize = 32;

/// The document as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) document: Option<(RunDocument, Version)>,
    /// Whether the document must be read again before it is used.
    pub(super) doubtful: bool,
    /// Nodes that were completed, and by what somebody else wrote are to be run again.
    pub(super) undone: BTreeSet<NodeId>,
    /// The states it was in before, where neighbours may write over it; the latest is the last.
    past: VecDeque<RunDocument>,
}

impl Known {
    /// Takes a document for the present one.
    pub(super) fn renew(&mut self, document: RunDocument, version: Version) {
        self.doubtful = false;
        self.document = Some((document, version));
    }

    /// Remembers the present document as a past one.
    pub(super) fn remember(&mut self) {
        let Some((document, _)) = &self.document else { return };
        if self.past.back().is_some_and(|last| last.head().rev == document.head().rev) {
            return;
        }
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        self.past.push_back(document.clone());
    }

    /// The document as it was at a revision, or at the last one before.
    pub(super) fn at(&self, rev: u64) -> Option<&RunDocument> {
        self.past.iter().rev().find(|document| document.head().rev <= rev)
    }
}

/// Whether somebody looks that a neighbour does not write over what this process committed.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) watched: bool,
    /// When this process last wrote the document.
    pub(super) wrote: Option<Timestamp>,
}

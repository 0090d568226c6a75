//! Computing that may take longer than a frame, done beside the dashboard.

use std::sync::Arc;

use super::{
    message::Message,
    values::{Published, ValueTree, matches},
};

/// Something to be computed. It reads and writes nothing but what it is given.
#[derive(Debug, Clone)]
pub struct Work(pub(super) Job);

/// What is to be computed, with the number that the answer gives back.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// The tree of a run's values.
    Values { ticket: u64, of: Published },
    /// The places in a tree where a text is.
    Search { ticket: u64, tree: Arc<ValueTree>, query: String },
}

/// What was computed.
#[derive(Debug)]
pub struct Worked(pub(super) Answer);

/// What came out of a job.
#[derive(Debug)]
pub(super) enum Answer {
    Values { ticket: u64, of: Published, tree: Arc<ValueTree> },
    Found { ticket: u64, query: String, tree: Arc<ValueTree>, places: Vec<usize> },
}

impl Work {
    /// Does it.
    pub(super) fn run(self) -> Message {
        Message::Worked(Worked(match self.0 {
            Job::Values { ticket, of } => {
                let tree = (*of).as_ref().map(ValueTree::of).unwrap_or_default();
                Answer::Values { ticket, of, tree: Arc::new(tree) }
            }
            Job::Search { ticket, tree, query } => {
                let places = matches(&tree, &query);
                Answer::Found { ticket, query, tree, places }
            }
        }))
    }
}

//! A walk through all keys, a bounded stretch at a time: it finds keys that no index names.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{
    fault::Trouble,
    lane::{Lane, Node, Repeat},
};

/// How many keys one command looks at.
const COUNT: u32 = 1000;

/// How many keys found are remembered.
const MOST_FOUND: usize = 500;

/// Where a walk is, and what it has found.
pub(super) struct Walk {
    pattern: &'static str,
    /// How many commands at most a stretch takes, on each primary.
    commands: u32,
    /// Where to go on, by primary; nothing stands for the only server.
    cursors: BTreeMap<Option<Node>, u64>,
    found: BTreeSet<String>,
}

impl Walk {
    /// A walk for the keys that match a pattern.
    pub(super) fn new(pattern: &'static str, commands: u32) -> Self {
        Self { pattern, commands, cursors: BTreeMap::new(), found: BTreeSet::new() }
    }

    /// Walks on: all primaries at once, each until all its keys were seen or the stretch is over.
    pub(super) async fn go_on(&mut self, lane: &Lane) -> Result<(), Trouble> {
        let nodes = match lane.primaries().await? {
            None => vec![None],
            Some(nodes) => nodes.into_iter().map(Some).collect(),
        };
        let stretches = nodes.into_iter().map(|node| {
            let cursor = self.cursors.get(&node).copied().unwrap_or(0);
            self.stretch(lane, node, cursor)
        });
        let stretches = join_all(stretches).await;
        // A primary that can't be asked starts anew; so does one that has come back.
        self.cursors.clear();
        let mut trouble = None;
        for (node, stretch) in stretches {
            match stretch {
                Ok((cursor, keys)) => {
                    self.cursors.insert(node, cursor);
                    for key in keys {
                        if self.found.len() < MOST_FOUND {
                            self.found.insert(key);
                        }
                    }
                }
                Err(error) => trouble = Some(error),
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    async fn stretch(
        &self,
        lane: &Lane,
        node: Option<Node>,
        mut cursor: u64,
    ) -> (Option<Node>, Result<(u64, Vec<String>), Trouble>) {
        let mut found = Vec::new();
        for _ in 0..self.commands {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(self.pattern).arg("COUNT").arg(COUNT);
            let answer: Result<(u64, Vec<Vec<u8>>), _> = match &node {
                None => lane.send(&command, Repeat::Safe).await,
                Some(node) => lane.send_to(node, &command).await,
            };
            match answer {
                Ok((next, keys)) => {
                    cursor = next;
                    // A key that is no text is none of ours or our neighbours'.
                    found.extend(keys.into_iter().filter_map(|key| String::from_utf8(key).ok()));
                }
                Err(trouble) => return (node, Err(trouble)),
            }
            if cursor == 0 {
                break;
            }
        }
        (node, Ok((cursor, found)))
    }

    /// The keys found so far that are not known to be gone.
    pub(super) fn found(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(String::as_str)
    }

    /// Forgets a key that is gone.
    pub(super) fn forget(&mut self, key: &str) {
        self.found.remove(key);
    }
}

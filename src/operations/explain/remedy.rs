//! What mends a cause: as a value that a face can act on, as the command that does it, and in words.

use std::fmt;

use serde::Serialize;

use super::{
    command_line::{on_run, word},
    when::ahead,
};
use crate::{
    blueprint::{BlueprintId, NodeId, RunId, WorkerName},
    cluster::Service,
    engine::Timestamp,
};

/// What mends a cause, or what to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is to be done.
    Nothing,
    /// It goes on by itself, at this time at the latest if that is known.
    Wait {
        /// When.
        until: Option<Timestamp>,
    },
    /// It goes on by itself when the timer is due; it can be ended now.
    EndTimer {
        /// The run.
        run: RunId,
        /// The node that sleeps.
        node: NodeId,
        /// When it is due.
        due: Timestamp,
    },
    /// End a sleep that is over, and that nobody ends.
    FireTimer {
        /// The run.
        run: RunId,
        /// The node that sleeps.
        node: NodeId,
    },
    /// Somebody has to answer.
    Answer {
        /// The run.
        run: RunId,
        /// The node that waits.
        node: NodeId,
        /// The actions that its edges name.
        actions: Vec<String>,
    },
    /// What is wrong is in a child run: ask about that.
    ExplainChild(RunId),
    /// Have the run move again.
    Reconcile(RunId),
    /// Put on record that it never began.
    GiveUp(RunId),
    /// Start it again: nothing is left of it.
    StartAgain {
        /// The run.
        run: RunId,
        /// Its blueprint, if that is known.
        blueprint: Option<BlueprintId>,
    },
    /// Run nodes again, once something has been mended.
    Requeue {
        /// The run.
        run: RunId,
        /// The nodes; those that failed if none is named.
        nodes: Vec<NodeId>,
        /// What is to be mended before.
        first: Mend,
    },
    /// Have dead letters tried again, once what they say has been mended.
    Replay {
        /// Their message ids.
        letters: Vec<String>,
    },
    /// The leases end by themselves; they can be taken away from their dead holder now.
    ReleaseLocks {
        /// The run.
        run: RunId,
        /// The leases.
        locks: Vec<HeldNode>,
        /// When the last of them ends, if that is known.
        ends: Option<Timestamp>,
    },
    /// Start a worker.
    StartWorker(Wanted),
    /// These workers are paused: let one of them go on.
    ResumeWorker(Vec<WorkerName>),
    /// Bring a service back.
    MendService(Service),
}

/// A node whose lease is held, and the value that the holder wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNode {
    /// The node.
    pub node: NodeId,
    /// The lease's value.
    pub value: String,
}

/// What is to be mended before a node is run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Nothing.
    Nothing,
    /// What made it fail.
    Failure,
    /// Its kind needs an implementation on the workers.
    Implementation,
}

/// What kind of worker is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Any.
    Any,
    /// More of them.
    More,
    /// One with this blueprint, in this version.
    Blueprint(Option<BlueprintId>, Option<String>),
}

impl Remedy {
    /// The same remedy for what both concern, if there is one.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (same, also) if same == also => Some(same.clone()),
            (Self::Wait { until: a }, Self::Wait { until: b }) => {
                Some(Self::Wait { until: a.iter().chain(b).min().copied() })
            }
            (Self::EndTimer { run, due, .. }, Self::EndTimer { run: also, due: later, .. })
                if run == also =>
            {
                Some(if later < due { other.clone() } else { self.clone() })
            }
            (
                Self::Requeue { run, nodes, first },
                Self::Requeue { run: also, nodes: more, first: before },
            ) if run == also && first == before && !nodes.is_empty() && !more.is_empty() => {
                Some(Self::Requeue {
                    run: run.clone(),
                    nodes: nodes.iter().chain(more).cloned().collect(),
                    first: first.clone(),
                })
            }
            (
                Self::ReleaseLocks { run, locks, ends },
                Self::ReleaseLocks { run: also, locks: more, ends: last },
            ) if run == also => Some(Self::ReleaseLocks {
                run: run.clone(),
                locks: locks.iter().chain(more).cloned().collect(),
                ends: ends.zip(*last).map(|(one, other)| one.max(other)),
            }),
            _ => None,
        }
    }

    /// What to do, in words, at the time `now`.
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Nothing => "nothing is to be done".to_owned(),
            Self::Wait { until: Some(at) } if *at > now => {
                format!("wait until {}", ahead(now, *at))
            }
            Self::Wait { .. } => "wait: it goes on by itself".to_owned(),
            Self::EndTimer { node, due, .. } => {
                format!("wait until {}, or end the sleep of node \"{node}\" now", ahead(now, *due))
            }
            Self::FireTimer { node, .. } => format!("end the sleep of node \"{node}\""),
            Self::Answer { node, actions, .. } => match actions.as_slice() {
                [] => format!("answer node \"{node}\""),
                some => format!("answer node \"{node}\": {}", some.join(" or ")),
            },
            Self::ExplainChild(run) => format!("see why run \"{run}\" does not move"),
            Self::Reconcile(_) => {
                "reconcile the run: what is missing is put back on its way".to_owned()
            }
            Self::GiveUp(_) => {
                "reconcile the run: it is put on record as failed; then start it again".to_owned()
            }
            Self::StartAgain { .. } => "start it again, with its input".to_owned(),
            Self::Requeue { nodes, first, .. } => {
                let what = match nodes.as_slice() {
                    [] => "requeue the run".to_owned(),
                    [node] => format!("requeue node \"{node}\""),
                    nodes => format!("requeue {} nodes", nodes.len()),
                };
                format!("{}{what}", first.words())
            }
            Self::Replay { letters } => {
                let what = if letters.len() == 1 { "the dead letter" } else { "the dead letters" };
                format!("mend what it says, then replay {what}")
            }
            Self::ReleaseLocks { locks, ends, .. } => {
                let what = if locks.len() == 1 { "the lease" } else { "the leases" };
                let ends = ends.map(|at| format!(" until {}", ahead(now, at))).unwrap_or_default();
                format!("wait{ends} for {what} to end, or take it from its dead holder now")
            }
            Self::StartWorker(Wanted::Any) => {
                "start a worker: flowcraft-tui --no-ui on any machine".to_owned()
            }
            Self::StartWorker(Wanted::More) => {
                "wait, or start more workers: flowcraft-tui --no-ui on any machine".to_owned()
            }
            Self::StartWorker(Wanted::Blueprint(..)) => self.to_string(),
            Self::ResumeWorker(names) => {
                format!("let worker {} go on, or start another one", listed(names))
            }
            Self::MendService(service) => {
                format!("bring the {service} service back; flowcraft-tui doctor says how each is")
            }
        }
    }
}

impl Mend {
    fn words(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Failure => "mend what failed, then ",
            Self::Implementation => "give its worker an implementation, then ",
        }
    }
}

/// As the command line has it: the command, or what to wait for.
impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing is to be done"),
            Self::Wait { until: None } => f.write_str("wait for it"),
            Self::Wait { until: Some(at) } => write!(f, "wait until {}", short(*at)),
            Self::EndTimer { run, node, due } => write!(
                f,
                "wait until {}, or end it now: {}",
                short(*due),
                on_run("resume", run, &[("--node", node)])
            ),
            Self::FireTimer { run, node } => {
                f.write_str(&on_run("resume", run, &[("--node", node)]))
            }
            Self::Answer { run, node, actions } => {
                // One of them is to be chosen: as it stands, it is an action that no edge has.
                let choice = actions.join("|");
                let mut options = vec![("--node", node.as_str())];
                if !actions.is_empty() {
                    options.push(("--action", &choice));
                }
                f.write_str(&on_run("resume", run, &options))
            }
            Self::ExplainChild(run) => f.write_str(&on_run("explain", run, &[])),
            Self::Reconcile(run) | Self::GiveUp(run) => f.write_str(&on_run("reconcile", run, &[])),
            Self::StartAgain { run, blueprint } => {
                let blueprint = blueprint.as_deref().unwrap_or("BLUEPRINT");
                let options = [("--run-id", run.as_str()), ("--input", "JSON")];
                f.write_str(&on_run("start", blueprint, &options))
            }
            Self::Requeue { run, nodes, first } => {
                let then = match first {
                    Mend::Nothing => "",
                    Mend::Failure => "mend what failed, then: ",
                    Mend::Implementation => "give its worker an implementation, then: ",
                };
                let options: Vec<_> = nodes.iter().map(|node| ("--node", node.as_str())).collect();
                write!(f, "{then}{}", on_run("requeue", run, &options))
            }
            Self::Replay { letters } => {
                f.write_str("mend what it says, then: flowcraft-tui dead-letters replay")?;
                letters.iter().try_for_each(|id| write!(f, " {}", word(id)))
            }
            Self::ReleaseLocks { run, ends, .. } => {
                let ends = ends.map(|at| format!(" at {}", short(at))).unwrap_or_default();
                write!(
                    f,
                    "wait for the lease to end{ends}; if it stands still then: {}",
                    on_run("reconcile", run, &[])
                )
            }
            Self::StartWorker(Wanted::Any) => f.write_str("flowcraft-tui --no-ui"),
            Self::StartWorker(Wanted::More) => {
                f.write_str("start more workers: flowcraft-tui --no-ui")
            }
            Self::StartWorker(Wanted::Blueprint(blueprint, version)) => {
                f.write_str("start a worker that has ")?;
                match (blueprint, version) {
                    (Some(id), Some(version)) => {
                        write!(f, "blueprint \"{id}\" in version \"{version}\"")?;
                    }
                    (Some(id), None) => write!(f, "blueprint \"{id}\"")?,
                    (None, _) => f.write_str("its blueprint")?,
                }
                f.write_str(": flowcraft-tui --no-ui")
            }
            Self::ResumeWorker(names) => write!(
                f,
                "let worker {} go on (its dashboard's p), or start another: flowcraft-tui --no-ui",
                listed(names)
            ),
            Self::MendService(service) => {
                write!(f, "bring the {service} service back: flowcraft-tui doctor")
            }
        }
    }
}

impl Serialize for Remedy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time to the second.
fn short(at: Timestamp) -> String {
    Timestamp::from_seconds(at.seconds()).to_string().replace(".000Z", "Z")
}

fn listed(names: &[WorkerName]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedies_for_several_nodes_become_one() {
        let requeue = |node: &str| Remedy::Requeue {
            run: "r".into(),
            nodes: vec![node.into()],
            first: Mend::Failure,
        };
        let both = requeue("a").joined(&requeue("b"));
        assert_eq!(
            both.map(|it| it.to_string()).as_deref(),
            Some("mend what failed, then: flowcraft-tui requeue r --node a --node b")
        );
        let wait = |seconds| Remedy::Wait { until: Some(Timestamp::from_seconds(seconds)) };
        assert_eq!(wait(9).joined(&wait(5)), Some(wait(5)));
        assert_eq!(Remedy::Reconcile("r".into()).joined(&Remedy::Reconcile("s".into())), None);
    }
}

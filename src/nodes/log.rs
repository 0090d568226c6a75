//! Log lines of nodes: those of a kind of node under `node::NAME`, and which run and node a line
//! is about.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_core::{
    Event, Kind, Level, Metadata,
    callsite::{self, Callsite},
    field::{FieldSet, Value},
    identify_callsite,
    subscriber::Interest,
};

use crate::blueprint::{NodeId, RunId};

/// The target of the span around each attempt of a node, which says for every line in it which run
/// and node it is about. Off unless asked for by name: only the dashboard looks at it.
pub(crate) const IN_NODE: &str = "flowcraft_tui::in_node";

/// The run and node that a program works for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) run: RunId,
    pub(crate) node: NodeId,
}

/// A place in the program that log lines come from, as tracing sees it: one for each kind of node,
/// made once and kept, since the macros only know targets that are fixed when compiling.
pub(crate) struct Target {
    metadata: OnceLock<Metadata<'static>>,
}

impl Target {
    /// The place for a kind of node.
    pub(crate) fn of(node: &str) -> &'static Self {
        static TARGETS: OnceLock<Mutex<HashMap<String, &'static Target>>> = OnceLock::new();
        let mut targets =
            TARGETS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = targets.get(node) {
            return target;
        }
        let target: &'static Self = Box::leak(Box::new(Self { metadata: OnceLock::new() }));
        let name: &'static str = Box::leak(format!("node::{node}").into_boxed_str());
        let fields = FieldSet::new(&["message", "run", "node"], identify_callsite!(target));
        target.metadata.get_or_init(|| {
            Metadata::new("line", name, Level::INFO, None, None, None, fields, Kind::EVENT)
        });
        callsite::register(target);
        targets.insert(node.to_owned(), target);
        target
    }

    /// Writes a line, which may be about a run and node.
    pub(crate) fn log(&'static self, text: &str, about: Option<&Asker>) {
        let metadata = self.metadata();
        let fields = metadata.fields();
        if let (Some(message), Some(run), Some(node)) =
            (fields.field("message"), fields.field("run"), fields.field("node"))
        {
            let message_text = format_args!("{text}");
            let asked = about.map(|asker| (asker.run.as_str(), asker.node.as_str()));
            let values = [
                (&message, Some(&message_text as &dyn Value)),
                (&run, asked.as_ref().map(|(run, _)| run as &dyn Value)),
                (&node, asked.as_ref().map(|(_, node)| node as &dyn Value)),
            ];
            tracing_core::dispatcher::get_default(|dispatch| {
                let values = fields.value_set(&values);
                let event = Event::new(metadata, &values);
                if dispatch.enabled(metadata) {
                    dispatch.event(&event);
                }
            });
        }
    }
}

impl Callsite for Target {
    // What subscribers want is asked for each line: they are few, and the filter may change.
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("set before anything can see the target")
    }
}

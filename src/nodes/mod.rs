//! What a step does: the trait of a node, the registry, and the kinds of node that come with the
//! program.

mod context;
mod registry;

pub use context::{DynamicSpec, Execution, NodeContext, NodeError, NodeOutput, Severity, Write};
pub use registry::{Node, Registry};

/// What a blueprint's node may use without anything being registered, as in `flowcraft`.
pub const BUILT_IN: [&str; 8] = [
    "wait",
    "sleep",
    "subflow",
    "SubflowNode",
    "batch-scatter",
    "batch-gather",
    "loop-controller",
    "webhook",
];

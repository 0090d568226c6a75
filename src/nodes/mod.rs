//! What a step does: the trait of a node, the registry, and the kinds of node that come with the
//! program.

mod context;
mod definition;
mod exec;
mod http;
pub(crate) mod log;
mod protocol;
mod registry;
mod secret;

pub use context::{DynamicSpec, Execution, NodeContext, NodeError, NodeOutput, Severity, Write};
pub use definition::{
    DefinitionError, ExecDefinition, HttpDefinition, Method, Mode, NodeDefinition, Part,
};
pub use exec::ProgramError;
pub use http::{UrlError, UrlTemplate};
pub(crate) use log::IN_NODE;
pub use registry::{Node, Registry};
pub use secret::{ExpandError, Secret};

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

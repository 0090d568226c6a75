//! What a workflow is: its model, and how it is loaded and checked.

mod id;
mod model;

pub use id::{BadRunId, BlueprintId, NodeId, RunId, WorkerName};
pub use model::{Blueprint, Edge, Inputs, JoinStrategy, Node, NodeConfig};

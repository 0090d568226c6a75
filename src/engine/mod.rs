//! What must happen next in a run: pure functions, no I/O, no clock, no randomness of their own.
//!
//! A [`Planner`] takes a run's [`RunDocument`], the [`Graph`] of its blueprint and [`Event`]s, and
//! gives the operations that change the document and the [`Effects`] that must follow.

mod adopt;
#[cfg(test)]
mod adopt_tests;
mod answer;
mod builtin;
mod diagram;
mod document;
mod draft;
mod event;
mod expression;
mod fan_in;
mod flow;
mod graph;
mod ledger;
pub(crate) mod names;
mod outcome;
mod plan;
mod redrive;
mod requeue;
mod routing;
mod start;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod tries;

pub(crate) use adopt::lost_inputs;
pub(crate) use builtin::child_run_id;
pub use builtin::{Builtin, child_blueprint, child_context, child_result};
pub use diagram::run_diagram;
pub(crate) use document::OUTPUTS;
pub use document::{Measure, Op, RunDocument, input_key, output_key};
pub(crate) use draft::dynamic_definition;
pub use draft::{Effects, JoinArrival, Work};
pub use event::{Answer, ChildNews, Event, Refusal, Verdict};
pub use expression::is_expression;
pub use graph::Graph;
pub(crate) use graph::{CONTINUE, edge_action};
pub use ledger::{
    Arrival, Awaits, Batch, Closing, DynamicNode, Entry, Head, NodeState, Parent, PastFailure,
    RunStatus, StandIn, StandInOutcome,
};
pub use outcome::{
    Completion, ContextWrite, Continuation, ExecutionRecord, Failure, FailureKind, NewNode,
};
pub(crate) use plan::fits;
pub use plan::{COMMIT_LIMIT, Planner, lost_outputs};
pub use redrive::reachable_work;
pub(crate) use routing::resolve_input;
pub use start::start;
pub use time::Timestamp;
pub use tries::Try;

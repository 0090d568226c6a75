//! What must happen next in a run: pure functions, no I/O, no clock, no randomness of their own.

mod diagram;
mod document;
mod ledger;
pub(crate) mod names;
mod time;

pub use diagram::run_diagram;
pub use document::{Op, RunDocument, input_key, output_key};
pub use ledger::{
    Arrival, Awaits, Batch, Closing, DynamicNode, Entry, Head, NodeState, Parent, RunStatus,
    StandIn, StandInOutcome,
};
pub use time::Timestamp;

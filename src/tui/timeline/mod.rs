//! When the nodes of a run ran: bars in the order in which they began, the part of the time that is
//! in view, and the chain of nodes that the end of the run waited for.

mod bars;
mod critical;
mod scale;
mod state;

pub(super) use bars::BarKind;
pub(super) use scale::Scale;
pub(super) use state::Timeline;

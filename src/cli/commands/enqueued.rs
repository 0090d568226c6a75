//! What `requeue` and `resume` print: the nodes that messages were sent for.

use serde_json::json;

use crate::{
    blueprint::RunId,
    cli::{context::Ended, exit::Exit, output::Output, text::sanitize},
    operations::Done,
};

/// Prints what became of a run that was asked for as `run`: where that waits for a child run, the
/// child's nodes are meant.
pub(super) fn print(run: &RunId, done: &Done, output: &mut Output) -> Ended {
    output.report(&json!({ "runId": done.run, "enqueued": done.enqueued }), |output| {
        let nodes: Vec<_> = done.enqueued.iter().map(|node| sanitize(node)).collect();
        let nodes = if nodes.is_empty() { "no node".to_owned() } else { nodes.join(", ") };
        let which = if done.run == *run {
            format!("Run {}", sanitize(run))
        } else {
            format!("Run {} (for {})", sanitize(&done.run), sanitize(run))
        };
        output.line(&format!("{which} is {}; enqueued: {nodes}.", done.status))
    })?;
    Ok(Exit::Done)
}

//! `requeue`: failed, stuck or chosen nodes of a run again.

use crate::cli::{
    args::RequeueArgs,
    change::{Outcome, carry_out},
    commands::enqueued,
    context::{Context, Ended},
    exit::Exit,
};

/// Has nodes run again.
pub(in crate::cli) async fn run(context: Context<'_>, args: &RequeueArgs) -> Ended {
    let operations = context.operations().await?;
    let question = format!("Requeue run {}?", args.run);
    let consent = args.change.consent();
    let plan = async || operations.plan_requeue(&args.run, &args.nodes).await;
    match carry_out(&operations, &question, consent, context.output, plan).await? {
        Outcome::Made(done) => enqueued::print(&args.run, &done, context.output),
        Outcome::NotMade => Ok(Exit::Done),
    }
}

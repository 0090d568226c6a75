//! `resume`: an answer to a node that waits.

use crate::{
    cli::{
        args::ResumeArgs,
        change::{Outcome, carry_out},
        commands::enqueued,
        context::{Context, Ended, in_background},
        exit::Exit,
    },
    engine::Answer,
};

/// Answers a node that waits.
pub(in crate::cli) async fn run(context: Context<'_>, args: ResumeArgs) -> Ended {
    let output = match args.output {
        Some(output) => Some(in_background(|| output.read()).await??),
        None => None,
    };
    let answer = Answer {
        node: args.node,
        action: args.action,
        output,
        token: uuid::Uuid::new_v4().to_string(),
    };
    let operations = context.operations().await?;
    let question = format!("Answer run {}?", args.run);
    let consent = args.change.consent();
    let plan = async || operations.plan_answer(&args.run, answer.clone()).await;
    match carry_out(&operations, &question, consent, context.output, plan).await? {
        Outcome::Made(done) => enqueued::print(&args.run, &done, context.output),
        Outcome::NotMade => Ok(Exit::Done),
    }
}

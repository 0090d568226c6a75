//! `explain`: why a run is not moving.

use serde_json::json;

use crate::{
    cli::{
        args::ExplainArgs,
        context::{Context, Ended},
        exit::Exit,
        text::sanitize,
    },
    operations::CauseKind,
};

/// Prints the causes, the likeliest first.
pub(in crate::cli) async fn run(context: Context<'_>, args: &ExplainArgs) -> Ended {
    let operations = context.operations().await?;
    let causes = operations.explain(&args.run).await?;
    let away = causes.iter().any(|cause| cause.cause == CauseKind::ServiceAway);
    context.output.report(&json!({ "runId": args.run, "causes": causes }), |output| {
        for cause in &causes {
            output.line(&format!(
                "{} ({}): {}",
                cause.cause,
                cause.confidence.as_word(),
                cause.cause.title()
            ))?;
            for evidence in &cause.evidence {
                output.line(&format!("  - {}", sanitize(evidence)))?;
            }
            output.line(&format!("  do: {}", sanitize(&cause.remedy.to_string())))?;
        }
        Ok(())
    })?;
    // What could be told has been; that it may not be all is told by the code.
    Ok(if away { Exit::Unreachable } else { Exit::Done })
}

//! `explain`: why a run is not moving.

use serde_json::json;

use crate::{
    cli::{
        args::ExplainArgs,
        context::{Context, Ended},
        exit::Exit,
        text::sanitize,
    },
    operations::Confidence,
};

/// Prints the causes, the likeliest first.
pub(in crate::cli) async fn run(context: Context<'_>, args: &ExplainArgs) -> Ended {
    let operations = context.operations().await?;
    let causes = operations.explain(&args.run).await?;
    context.output.report(&json!({ "runId": args.run, "causes": causes }), |output| {
        if causes.is_empty() {
            return output.line("Nothing keeps it from moving.");
        }
        for cause in &causes {
            let sure = match cause.confidence {
                Confidence::High => "certain",
                Confidence::Medium => "likely",
                Confidence::Low => "possible",
            };
            output.line(&format!("{} ({sure})", cause.cause.as_str()))?;
            for evidence in &cause.evidence {
                output.line(&format!("  - {}", sanitize(evidence)))?;
            }
            output.line(&format!("  do: {}", sanitize(&cause.remedy)))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

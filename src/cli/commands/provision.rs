//! `provision`: creates what the cluster needs where it is missing.

use serde::Serialize;

use crate::{
    cli::{
        args::Consent,
        context::{Context, Ended},
        exit::{CliError, Exit},
        text::sanitize,
    },
    config::Storage,
};

#[derive(Serialize, Default)]
struct Provisioned {
    created: Vec<String>,
    existing: Vec<String>,
}

/// Creates what is missing, and prints what was there and what was not. A dry run only prints.
pub(in crate::cli) async fn run(context: Context<'_>, consent: Consent) -> Ended {
    let mut report = Provisioned::default();
    if let Storage::Sqlite(path) = context.config.storage()? {
        let existed = tokio::fs::try_exists(&path).await.map_err(|error| {
            CliError::unreachable(format!("{}: can't look at it: {error}", path.display()))
                .because(error)
        })?;
        let list = if existed { &mut report.existing } else { &mut report.created };
        list.push(path.display().to_string());
    }
    if consent != Consent::DryRun {
        context.cluster().await?;
    }
    context.output.report(&report, |output| {
        let created = if consent == Consent::DryRun { "would create" } else { "created" };
        for name in &report.created {
            output.line(&format!("{created}  {}", sanitize(name)))?;
        }
        for name in &report.existing {
            output.line(&format!("exists  {}", sanitize(name)))?;
        }
        if report.created.is_empty() && report.existing.is_empty() {
            output.line("Nothing to create: this cluster lives in memory.")?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

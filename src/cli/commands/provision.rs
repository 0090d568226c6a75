//! `provision`: creates what the cluster needs where it is missing.

use serde::Serialize;

use crate::{
    cli::{
        args::Consent,
        context::{Context, Ended},
        exit::{CliError, Exit},
        text::sanitize,
    },
    cluster::{AzureServices, AzureSettings, Provisioned},
    config::Storage,
};

/// What there is. In a dry run, what would be created is among the created.
#[derive(Serialize, Default)]
struct Report {
    created: Vec<String>,
    existing: Vec<String>,
}

/// Creates what is missing, and prints what was there and what was not. A dry run only prints.
pub(in crate::cli) async fn run(context: Context<'_>, consent: Consent) -> Ended {
    let mut report = Report::default();
    match context.config.storage()? {
        Storage::Sqlite(path) => {
            let existed = tokio::fs::try_exists(&path).await.map_err(|error| {
                CliError::unreachable(format!("{}: can't look at it: {error}", path.display()))
                    .because(error)
            })?;
            let list = if existed { &mut report.existing } else { &mut report.created };
            list.push(path.display().to_string());
            if consent != Consent::DryRun {
                context.cluster().await?;
            }
        }
        Storage::Azure(settings) => report = azure(*settings, consent).await?,
        Storage::Memory => {}
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

async fn azure(settings: AzureSettings, consent: Consent) -> Result<Report, CliError> {
    let services = AzureServices::new(settings)?;
    let found = match consent {
        Consent::DryRun => services.look().await?,
        _ => services.create_missing().await?,
    };
    let mut report = Report::default();
    for (name, state) in found {
        match state {
            Provisioned::Created | Provisioned::Missing => report.created.push(name),
            Provisioned::Existing => report.existing.push(name),
        }
    }
    Ok(report)
}

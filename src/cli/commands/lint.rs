//! `blueprints lint`: what can't work, and what probably does not do what was meant.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::blueprints::find;
use crate::{
    blueprint::{BlueprintId, Issue, LibraryState, LintContext, LoadError, lint, load_file},
    cli::{
        context::{Context, Ended, in_background, is_missing, is_not_found},
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
        text::count,
    },
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    blueprint_id: Option<BlueprintId>,
    file: Option<PathBuf>,
    #[serde(flatten)]
    issue: Found,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Issue(Issue),
    Unreadable { code: &'static str, severity: &'static str, message: String },
}

impl Finding {
    fn of(error: &LoadError) -> Self {
        let issue = Found::Unreadable {
            code: "CANNOT_BE_LOADED",
            severity: "error",
            message: error.to_string(),
        };
        Self { blueprint_id: None, file: Some(error.file().to_owned()), issue }
    }

    fn is_error(&self) -> bool {
        match &self.issue {
            Found::Issue(issue) => issue.is_error(),
            Found::Unreadable { .. } => true,
        }
    }
}

/// Checks the loaded blueprints, or those that are named: by their ids, or by their files.
pub(in crate::cli) async fn run(context: Context<'_>, targets: &[String]) -> Ended {
    let state = context.library().await?.state();
    let mut findings = Vec::new();
    let mut checked = targets.len();
    for target in targets {
        if state.get(target).is_none() && looks_like_a_file(target) {
            findings.extend(of_file(&context, &state, Path::new(target)).await?);
        } else {
            find(&state, target)?;
            findings.extend(of_loaded(&state, target));
        }
    }
    if targets.is_empty() {
        checked = state.blueprints().len();
        findings.extend(
            state.errors().iter().filter(|e| !is_missing(&context.config, e)).map(Finding::of),
        );
        findings.extend(state.blueprints().keys().flat_map(|id| of_loaded(&state, id)));
    }
    print(&findings, checked, context.output)?;
    Ok(if findings.iter().any(Finding::is_error) { Exit::Failed } else { Exit::Done })
}

fn looks_like_a_file(target: &str) -> bool {
    let path = Path::new(target);
    path.exists() || target.contains('/') || path.extension().is_some_and(|e| e == "json")
}

fn of_loaded(state: &LibraryState, id: &str) -> Vec<Finding> {
    let file = state.file(id).map(Path::to_owned);
    let finding = |issue: &Issue| Finding {
        blueprint_id: Some(id.into()),
        file: file.clone(),
        issue: Found::Issue(issue.clone()),
    };
    state.issues(id).iter().map(finding).collect()
}

async fn of_file(
    context: &Context<'_>,
    state: &LibraryState,
    file: &Path,
) -> Result<Vec<Finding>, CliError> {
    let path = file.to_owned();
    let blueprint = match in_background(move || load_file(&path)).await? {
        Ok(blueprint) => blueprint,
        Err(error) if is_not_found(&error) => return Err(CliError::usage(error.to_string())),
        Err(error) => return Ok(vec![Finding::of(&error)]),
    };
    let kinds = context.known_kinds();
    let mut known = state.blueprints().clone();
    let blueprint = std::sync::Arc::new(blueprint);
    known.insert(blueprint.id.clone(), blueprint.clone());
    let issues = lint(
        &blueprint,
        &LintContext { implementations: kinds.as_ref(), blueprints: Some(&known) },
    );
    let finding = |issue| Finding {
        blueprint_id: Some(blueprint.id.clone()),
        file: Some(file.to_owned()),
        issue: Found::Issue(issue),
    };
    Ok(issues.into_iter().map(finding).collect())
}

fn print(findings: &[Finding], checked: usize, output: &mut Output) -> Result<(), CliError> {
    output.report(&findings, |output| {
        if !findings.is_empty() {
            let mut table = Table::new([
                Column::left("BLUEPRINT"),
                Column::left("SEVERITY"),
                Column::left("NODE"),
                Column::left("CODE"),
                Column::left("MESSAGE"),
            ]);
            for finding in findings {
                let tone = if finding.is_error() { Tone::Bad } else { Tone::Notable };
                let (severity, node, code, message) = match &finding.issue {
                    Found::Issue(issue) => (
                        issue.severity.as_str(),
                        issue.node_id.as_ref().map_or("-", |node| node.as_str()),
                        issue.code.as_str(),
                        &issue.message,
                    ),
                    Found::Unreadable { code, severity, message } => {
                        (*severity, "-", *code, message)
                    }
                };
                table.row([
                    finding.blueprint_id.as_ref().map_or("-", |id| id.as_str()).into(),
                    Cell::toned(severity, tone),
                    node.into(),
                    code.into(),
                    message.into(),
                ]);
            }
            output.table(&table)?;
        }
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        output.line(&format!(
            "{} checked: {}, {}.",
            count(checked, "blueprint"),
            count(errors, "error"),
            count(findings.len() - errors, "warning")
        ))
    })
}

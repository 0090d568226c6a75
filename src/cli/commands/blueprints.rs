//! `blueprints`: what is loaded, one of them in full, and as a diagram.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    blueprint::{self, Blueprint, BlueprintId, Issue, LibraryState, analyze, start_nodes},
    cli::{
        context::{Context, Ended, is_missing},
        exit::{CliError, Exit},
        table::{Cell, Column, Table, Tone},
        text::{count, sanitize},
    },
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: &'a BlueprintId,
    version: Option<&'a str>,
    file: Option<&'a Path>,
    nodes: usize,
    edges: usize,
    errors: usize,
    warnings: usize,
}

/// Lists what is loaded.
pub(in crate::cli) async fn list(context: Context<'_>) -> Ended {
    let state = context.library().await?.state();
    let lines: Vec<Line<'_>> = state
        .blueprints()
        .iter()
        .map(|(id, blueprint)| {
            let issues = state.issues(id);
            let errors = issues.iter().filter(|issue| issue.is_error()).count();
            Line {
                id,
                version: blueprint.version(),
                file: state.file(id),
                nodes: blueprint.nodes.len(),
                edges: blueprint.edges.len(),
                errors,
                warnings: issues.len() - errors,
            }
        })
        .collect();
    for error in state.errors().iter().filter(|error| !is_missing(&context.config, error)) {
        tracing::warn!(%error, "a blueprint is left out");
    }
    context.output.report(&lines, |output| {
        if lines.is_empty() {
            let places: Vec<_> =
                context.config.blueprints.iter().map(|path| path.display().to_string()).collect();
            return output
                .line(&format!("No blueprint is loaded from {}.", sanitize(&places.join(", "))));
        }
        let mut table = Table::new([
            Column::left("BLUEPRINT"),
            Column::left("VERSION"),
            Column::right("NODES"),
            Column::right("EDGES"),
            Column::left("LINT"),
            Column::left("FILE"),
        ]);
        for line in &lines {
            let lint = match (line.errors, line.warnings) {
                (0, 0) => Cell::toned("ok", Tone::Good),
                (0, warnings) => Cell::toned(count(warnings, "warning"), Tone::Notable),
                (errors, _) => Cell::toned(count(errors, "error"), Tone::Bad),
            };
            let file = line.file.map(|file| file.display().to_string()).unwrap_or_default();
            table.row([
                line.id.as_str().into(),
                line.version.unwrap_or("-").into(),
                line.nodes.to_string().into(),
                line.edges.to_string().into(),
                lint,
                file.into(),
            ]);
        }
        output.table(&table)
    })?;
    Ok(Exit::Done)
}

/// Shows one blueprint.
pub(in crate::cli) async fn show(context: Context<'_>, id: &BlueprintId) -> Ended {
    let state = context.library().await?.state();
    let blueprint = find(&state, id)?;
    let issues = state.issues(id);
    let shown = as_json(blueprint, state.file(id), issues);
    context.output.report(&shown, |output| {
        output.line(&format!(
            "Blueprint {}{}",
            sanitize(id),
            blueprint.version().map(|v| format!(", version {}", sanitize(v))).unwrap_or_default()
        ))?;
        if let Some(file) = state.file(id) {
            output.line(&format!("from {}", sanitize(&file.display().to_string())))?;
        }
        output.line("")?;
        let mut table =
            Table::new([Column::left("NODE"), Column::left("USES"), Column::left("LEADS TO")]);
        for node in &blueprint.nodes {
            let targets: Vec<_> = blueprint
                .edges
                .iter()
                .filter(|edge| edge.source == node.id)
                .map(|edge| match &edge.action {
                    Some(action) => format!("{} ({action})", edge.target),
                    None => edge.target.to_string(),
                })
                .collect();
            table.row([
                node.id.as_str().into(),
                node.uses.as_str().into(),
                targets.join(", ").into(),
            ]);
        }
        output.table(&table)?;
        issues.iter().try_for_each(|issue| {
            output.line(&format!("{}: {}", issue.severity, sanitize(&issue.message)))
        })
    })?;
    Ok(Exit::Done)
}

/// Prints the diagram of a blueprint.
pub(in crate::cli) async fn mermaid(context: Context<'_>, id: &BlueprintId) -> Ended {
    let state = context.library().await?.state();
    let diagram = blueprint::mermaid(find(&state, id)?);
    context.output.report(&json!({ "blueprintId": id, "mermaid": diagram }), |output| {
        output.write(&format!("{}\n", diagram.trim_end()))
    })?;
    Ok(Exit::Done)
}

/// The blueprint with an id, or an error that names the one that was perhaps meant.
pub(super) fn find<'a>(state: &'a LibraryState, id: &str) -> Result<&'a Blueprint, CliError> {
    if let Some(blueprint) = state.get(id) {
        return Ok(blueprint);
    }
    let near = state
        .blueprints()
        .keys()
        .map(|known| (strsim::damerau_levenshtein(known, id), known))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    let hint = match near {
        Some((_, near)) => format!("did you mean \"{near}\"?"),
        None => "`flowcraft-tui blueprints` lists what is loaded".to_owned(),
    };
    Err(CliError::usage(format!("blueprint \"{id}\" is not loaded")).hint(hint))
}

fn as_json(blueprint: &Blueprint, file: Option<&Path>, issues: &[Issue]) -> Value {
    let nodes: Vec<Value> = blueprint
        .nodes
        .iter()
        .map(|node| {
            json!({
                "id": node.id,
                "uses": node.uses,
                "params": node.params,
                "join": match node.config.join {
                    blueprint::JoinStrategy::All => "all",
                    blueprint::JoinStrategy::Any => "any",
                },
                "maxRetries": node.config.attempts(),
                "fallback": node.config.fallback,
            })
        })
        .collect();
    let edges: Vec<Value> = blueprint
        .edges
        .iter()
        .map(|edge| {
            let members = [
                ("source", Some(edge.source.as_str())),
                ("target", Some(edge.target.as_str())),
                ("action", edge.action.as_deref()),
                ("condition", edge.condition.as_deref()),
                ("transform", edge.transform.as_deref()),
            ];
            let members = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
            Value::Object(members.collect::<Map<_, _>>())
        })
        .collect();
    json!({
        "id": blueprint.id,
        "version": blueprint.version(),
        "file": file,
        "metadata": blueprint.metadata,
        "nodes": nodes,
        "edges": edges,
        "startNodes": start_nodes(blueprint),
        "analysis": analyze(blueprint),
        "issues": issues,
    })
}

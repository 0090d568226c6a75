//! `doctor`: does everything that a worker needs answer, and is it sound?

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    blueprint::{BlueprintId, Code, Issue, Library, LibraryState, LintContext, RunId, lint},
    cli::{
        context::{Context, Ended, is_missing},
        exit::{CliError, Exit},
        kinds::{self, Kind},
        output::Output,
        table::{Cell, Column, Table, Tone},
        text::count,
    },
    cluster::{Cluster, Key, Lane, StatusQuery},
};

/// How far ahead of this clock others may be.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);
/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
struct Diagnosis {
    ok: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
    ms: u64,
}

/// What a check found, or what is wrong.
type Found = Result<String, String>;

#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    async fn add(&mut self, name: impl Into<String>, check: impl Future<Output = Found>) {
        let began = Instant::now();
        let found = tokio::time::timeout(PATIENCE, check)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (ok, detail) = match found {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        self.0.push(Check { name: name.into(), ok, detail, ms });
    }
}

/// Looks at everything and prints what it found.
pub(in crate::cli) async fn run(context: Context<'_>) -> Ended {
    let mut checks = Checks::default();
    checks.add("configuration", async { configuration(&context) }).await;
    match context.cluster().await {
        Ok(cluster) => services(&cluster, &mut checks).await,
        Err(error) => checks.add("cluster", async { Err(error.to_string()) }).await,
    }
    let library = context.library().await?;
    checks.add("blueprints", async { blueprints(&library.state()) }).await;
    checks.add("implementations", async { implementations(&context, &library) }).await;
    if let Ok(kinds) = kinds::kinds(&context.config) {
        for (name, Kind { settings, definition }) in kinds {
            let check = || definition.check(name, &settings.folder).map_err(|e| e.to_string());
            checks.add(format!("node {name}"), async { check() }).await;
        }
    }
    let ok = checks.0.iter().all(|check| check.ok);
    print(&Diagnosis { ok, checks: checks.0 }, context.output)?;
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn configuration(context: &Context<'_>) -> Found {
    kinds::kinds(&context.config).map_err(|error| error.to_string())?;
    if let [note, ..] = context.config.notes.as_slice() {
        return Err(note.clone());
    }
    Ok(match &context.config.file {
        Some(file) => file.display().to_string(),
        None => "no file: defaults and variables".to_owned(),
    })
}

async fn services(cluster: &Cluster, checks: &mut Checks) {
    let said = |error: crate::cluster::ClusterError| error.to_string();
    checks
        .add("queue", async {
            let (jobs, poison) = tokio::try_join!(
                cluster.queue.depth(Lane::Jobs),
                cluster.queue.depth(Lane::Poison)
            )
            .map_err(said)?;
            Ok(format!("{} waiting, {} poisoned", jobs.messages, poison.messages))
        })
        .await;
    checks
        .add("state", async {
            // Any run will do, also one that is not there.
            cluster.state.read_status(&RunId::from("doctor")).await.map_err(said)?;
            Ok(cluster.name.clone())
        })
        .await;
    checks
        .add("coordination", async {
            cluster.coordination.get(&Key::reconciler()).await.map_err(said)?;
            let workers = cluster.coordination.workers().await.map_err(said)?;
            Ok(match workers.len() {
                0 => "no worker is alive".to_owned(),
                alive => format!("{} alive", count(alive, "worker")),
            })
        })
        .await;
    checks.add("clock", clock(cluster)).await;
}

/// Whether others have written at times that are still to come.
async fn clock(cluster: &Cluster) -> Found {
    let query = StatusQuery { limit: 100, ..StatusQuery::default() };
    let page = cluster.state.list_statuses(&query).await.map_err(|error| error.to_string())?;
    let now = cluster.clock.now();
    let latest = page.items.iter().map(|found| found.item.last_updated).max();
    match latest.map(|latest| now.until(latest)) {
        Some(ahead) if ahead > CLOCK_TOLERANCE => Err(format!(
            "a run was touched {} s in the future: set this machine's clock, or the other's",
            ahead.as_secs()
        )),
        _ => Ok(now.to_string()),
    }
}

fn blueprints(state: &LibraryState) -> Found {
    if let Some(error) = state.errors().iter().find(|error| !is_missing(error)) {
        return Err(error.to_string());
    }
    let all = state.blueprints();
    let with_errors: Vec<&str> = all
        .keys()
        .filter(|id| state.issues(id).iter().any(Issue::is_error))
        .map(BlueprintId::as_str)
        .collect();
    if with_errors.is_empty() {
        return Ok(format!("{} loaded", all.len()));
    }
    Err(format!("lint errors in {}: see `flowcraft-tui blueprints lint`", with_errors.join(", ")))
}

/// Whether this program could run every node of every loaded blueprint.
fn implementations(context: &Context<'_>, library: &Library) -> Found {
    let known: BTreeSet<String> = kinds::names(&context.config);
    let world = LintContext { implementations: Some(&known), blueprints: None };
    let missing: Vec<String> = library
        .list()
        .iter()
        .flat_map(|blueprint| lint(blueprint, &world))
        .filter(|issue| {
            matches!(issue.code, Code::MissingNodeImplementation | Code::InvalidBatchWorkerKey)
        })
        .map(|issue| issue.message)
        .collect();
    match missing.as_slice() {
        [] => Ok(format!("{} configured", count(known.len(), "kind"))),
        [one] => Err(one.clone()),
        [first, more @ ..] => Err(format!("{first} (and {})", count(more.len(), "other problem"))),
    }
}

fn print(diagnosis: &Diagnosis, output: &mut Output) -> Result<(), CliError> {
    output.report(diagnosis, |output| {
        let mut table = Table::new([
            Column::left("CHECK"),
            Column::left("RESULT"),
            Column::right("MS"),
            Column::left("DETAIL"),
        ]);
        for check in &diagnosis.checks {
            let result = if check.ok {
                Cell::toned("ok", Tone::Good)
            } else {
                Cell::toned("wrong", Tone::Bad)
            };
            table.row([
                check.name.as_str().into(),
                result,
                check.ms.to_string().into(),
                check.detail.as_str().into(),
            ]);
        }
        output.table(&table)
    })
}

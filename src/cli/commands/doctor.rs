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
        dashboard::Looks,
        exit::{CliError, Exit},
        kinds::{self, Kind},
        output::Output,
        table::{Cell, Column, Table, Tone},
        text::count,
    },
    cluster::{
        AzureServices, Cluster, ContainerCheck, CosmosFinding, Key, Lane, Neighbours, QueueCheck,
        QueueHealth, RedisCheck, Result as ClusterResult, StatusQuery, Unreadable,
    },
    config::Storage,
};

/// What JavaScript workers on Azure can't do (a run with it breaks on them).
const BEYOND_JAVASCRIPT: [&str; 7] =
    ["wait", "sleep", "subflow", "SubflowNode", "loop-controller", "batch-scatter", "batch-gather"];
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
        self.found(name, began.elapsed(), found);
    }

    fn found(&mut self, name: impl Into<String>, took: Duration, found: Found) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
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
    if let Ok(Storage::Azure(settings)) = context.config.storage() {
        match AzureServices::new(*settings) {
            Ok(services) => azure(&services, &mut checks).await,
            Err(error) => checks.add("cluster", async { Err(error.to_string()) }).await,
        }
    }
    let library = context.library().await?;
    match context.cluster().await {
        Ok(cluster) => {
            services(&cluster, &mut checks).await;
            if cluster.neighbours == Neighbours::JavaScript {
                checks.add("neighbours", neighbours(&cluster, &library)).await;
            }
        }
        Err(error) => checks.add("cluster", async { Err(error.to_string()) }).await,
    }
    checks.add("blueprints", async { blueprints(&context, &library.state()) }).await;
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
    Looks::of(&context.config).map_err(|error| error.to_string())?;
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

/// Looks at each service of a cluster on Azure: whether it is there, lets us in, and is set up as it
/// must be.
async fn azure(services: &AzureServices, checks: &mut Checks) {
    let began = Instant::now();
    for QueueCheck { name, health, .. } in services.check_queues().await {
        let took = match &health {
            Ok(Some(health)) => health.latency,
            _ => began.elapsed(),
        };
        checks.found(format!("queue {name}"), took, queue_health(health));
    }
    for ContainerCheck { name, finding, took } in services.check_containers().await {
        checks.found(format!("container {name}"), took, container(finding));
    }
    let began = Instant::now();
    let redis = services.check_redis().await;
    checks.found("redis", began.elapsed(), redis_health(redis));
}

fn queue_health(health: ClusterResult<Option<QueueHealth>>) -> Found {
    let health = health.map_err(|error| error.to_string())?;
    let health = health.ok_or("there is no such queue: run \"flowcraft-tui provision\"")?;
    if let Some(example) = health.example {
        return Err(format!(
            "{} of the next {} messages can't be read ({}): another program sends something \
             else than base64 JSON or JSON into this queue",
            health.unreadable,
            health.looked_at,
            match example {
                Unreadable::Text => "text that is neither JSON nor base64",
                Unreadable::Binary => "base64 of something that is no text",
                Unreadable::EncodedText => "base64 of text that is no JSON",
            }
        ));
    }
    skew(health.clock_ahead)?;
    Ok(format!("{} messages, answers in {} ms", health.messages, health.latency.as_millis()))
}

fn container(finding: ClusterResult<CosmosFinding>) -> Found {
    match finding.map_err(|error| error.to_string())? {
        CosmosFinding::Usable => Ok("partitioned by /runId".to_owned()),
        CosmosFinding::OtherPartitionKey(paths) => Err(format!(
            "it is partitioned by {}, and must be by /runId: that can't be changed, so make another \
             container and name it in the configuration",
            paths.join(", ")
        )),
        CosmosFinding::Expires => {
            Err("its items expire by themselves: turn its time to live off, or runs vanish"
                .to_owned())
        }
    }
}

fn redis_health(check: ClusterResult<RedisCheck>) -> Found {
    let check = check.map_err(|error| error.to_string())?;
    if let Some(warning) = check.warnings.first() {
        return Err(warning.clone());
    }
    skew(check.clock_ahead_millis.map(|ahead| -ahead))?;
    let version = check.version.unwrap_or_else(|| "of unknown version".to_owned());
    let kind = match check.primaries {
        Some(primaries) => format!("cluster of {}", count(primaries, "primary")),
        None => "single".to_owned(),
    };
    let tls = if check.tls { "TLS" } else { "no TLS" };
    Ok(format!("{version}, {kind}, {tls}, answers in {} ms", check.latency.as_millis()))
}

/// Whether this machine's clock, so many milliseconds ahead of a service's, is right enough.
fn skew(ahead: Option<i64>) -> Result<(), String> {
    match ahead {
        Some(ahead)
            if ahead.unsigned_abs() > CLOCK_TOLERANCE.as_millis().try_into().unwrap_or(0) =>
        {
            let (seconds, way) =
                (ahead.unsigned_abs() / 1000, if ahead > 0 { "ahead" } else { "behind" });
            Err(format!(
                "this machine's clock is {seconds} s {way}: set it, or signatures and leases fail"
            ))
        }
        _ => Ok(()),
    }
}

/// Whether JavaScript workers share the cluster, and would meet blueprints that they can't run.
async fn neighbours(cluster: &Cluster, library: &Library) -> Found {
    let query = StatusQuery { limit: 100, ..StatusQuery::default() };
    let page = cluster.state.list_statuses(&query).await.map_err(|error| error.to_string())?;
    // They leave out when a run started and who touched it.
    let theirs = page.items.iter().filter(|found| found.item.worker.is_none()).count();
    if theirs == 0 {
        return Ok("no JavaScript workers seen".to_owned());
    }
    let blueprints = library.list();
    let unsuited: Vec<String> = blueprints
        .iter()
        .filter(|blueprint| {
            blueprint.nodes.iter().any(|node| BEYOND_JAVASCRIPT.contains(&node.uses.as_str()))
        })
        .map(|blueprint| blueprint.id.to_string())
        .collect();
    if unsuited.is_empty() {
        return Ok(format!(
            "JavaScript clients or workers touched {theirs} of the last {} runs",
            page.items.len()
        ));
    }
    Err(format!(
        "JavaScript workers seem to share this cluster and break runs of {}: waits, timers, loops, \
         batches and subflows don't work there, so give these blueprints a cluster of their own",
        unsuited.join(", ")
    ))
}

fn blueprints(context: &Context<'_>, state: &LibraryState) -> Found {
    let mut errors = state.errors().iter().filter(|error| !is_missing(&context.config, error));
    if let Some(error) = errors.next() {
        return Err(match errors.count() {
            0 => error.to_string(),
            more => format!("{error} (and {more} more: see `flowcraft-tui blueprints lint`)"),
        });
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

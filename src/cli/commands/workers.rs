//! `workers`: who is alive.

use serde::Serialize;

use crate::{
    cli::{
        age::age,
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    cluster::{BlueprintTally, Cluster, Heartbeat, Tally, WorkerMode},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Worker<'a> {
    name: &'a str,
    host: &'a str,
    pid: u32,
    version: &'a str,
    /// Whole seconds since 1970, as in status items.
    started_at: i64,
    slots: u32,
    in_flight: u32,
    done: u64,
    mode: WorkerMode,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost<'a>>,
}

/// What a worker's requests came to since it began.
#[derive(Serialize)]
struct Cost<'a> {
    total: &'a Tally,
    overhead: &'a Tally,
    blueprints: &'a [BlueprintTally],
}

impl<'a> From<&'a Heartbeat> for Worker<'a> {
    fn from(beat: &'a Heartbeat) -> Self {
        Self {
            name: &beat.name,
            host: &beat.host,
            pid: beat.pid,
            version: &beat.version,
            started_at: beat.started_at.seconds(),
            slots: beat.slots,
            in_flight: beat.in_flight,
            done: beat.done,
            mode: beat.mode,
            cost: beat.cost.as_ref().map(|cost| Cost {
                total: &cost.total,
                overhead: &cost.overhead,
                blueprints: &cost.blueprints,
            }),
        }
    }
}

/// Prints the workers that are alive.
pub(in crate::cli) async fn run(cluster: &Cluster, output: &mut Output) -> Result<Exit, CliError> {
    let beats = cluster.coordination.workers().await?;
    let workers: Vec<Worker<'_>> = beats.iter().map(Worker::from).collect();
    output.report(&workers, |output| {
        if beats.is_empty() {
            return output.line("No worker is alive. `flowcraft-tui --no-ui` starts one.");
        }
        let now = cluster.clock.now();
        let mut table = Table::new([
            Column::left("WORKER"),
            Column::left("STATE"),
            Column::right("SLOTS"),
            Column::right("DONE"),
            Column::right("REQUESTS"),
            Column::right("RU"),
            Column::right("UP"),
            Column::left("HOST"),
            Column::right("PID"),
            Column::left("VERSION"),
        ]);
        for beat in &beats {
            let mode = match beat.mode {
                WorkerMode::Running => Cell::toned("running", Tone::Good),
                WorkerMode::Paused => Cell::toned("paused", Tone::Notable),
                WorkerMode::Draining => Cell::toned("draining", Tone::Notable),
            };
            table.row([
                beat.name.as_str().into(),
                mode,
                format!("{}/{}", beat.in_flight, beat.slots).into(),
                beat.done.to_string().into(),
                total(beat, |cost| Some(cost.requests.sum().to_string())).into(),
                total(beat, |cost| Some(format!("{:.0}", cost.request_units?.units()))).into(),
                age(now.since(beat.started_at)).into(),
                beat.host.as_str().into(),
                beat.pid.to_string().into(),
                beat.version.as_str().into(),
            ]);
        }
        output.table(&table)
    })?;
    Ok(Exit::Done)
}

/// A figure of what a worker's requests came to since it began; a dash where there is none.
fn total(beat: &Heartbeat, figure: impl FnOnce(&Tally) -> Option<String>) -> String {
    beat.cost.as_ref().and_then(|cost| figure(&cost.total)).unwrap_or_else(|| "–".to_owned())
}

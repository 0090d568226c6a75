//! `locks`: who is running what.

use serde::Serialize;

use crate::{
    blueprint::{NodeId, RunId, WorkerName},
    cli::{
        age::age,
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    cluster::{Cluster, HeldLock},
};

/// The most locks that are listed.
const LIMIT: usize = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lock<'a> {
    key: &'a str,
    run_id: Option<&'a RunId>,
    node_id: Option<&'a NodeId>,
    /// The worker; nothing if the lock is not one of ours.
    holder: Option<&'a WorkerName>,
    value: &'a str,
    seconds_left: u64,
}

/// Prints the locks that are held, soonest to end first.
pub(in crate::cli) async fn run(cluster: &Cluster, output: &mut Output) -> Result<Exit, CliError> {
    let (held, workers) =
        tokio::try_join!(cluster.coordination.locks(LIMIT), cluster.coordination.workers())?;
    let now = cluster.clock.now();
    let left = |lock: &HeldLock| now.until(lock.expires_at);
    let locks: Vec<Lock<'_>> = held
        .iter()
        .map(|lock| Lock {
            key: &lock.key,
            run_id: lock.run_id.as_ref(),
            node_id: lock.node_id.as_ref(),
            holder: lock.holder.as_ref(),
            value: &lock.value,
            seconds_left: left(lock).as_secs(),
        })
        .collect();
    output.report(&locks, |output| {
        if held.is_empty() {
            return output.line("No lock is held.");
        }
        let mut table = Table::new([
            Column::left("RUN"),
            Column::left("NODE"),
            Column::left("HOLDER"),
            Column::right("LEFT"),
            Column::left("KEY"),
        ]);
        for lock in &held {
            let holder = match &lock.holder {
                None => Cell::toned("owner unknown", Tone::Notable),
                Some(name) if workers.iter().any(|worker| worker.name == *name) => {
                    name.as_str().into()
                }
                Some(name) => Cell::toned(format!("{name} (no heartbeat)"), Tone::Bad),
            };
            table.row([
                lock.run_id.as_ref().map_or("-", RunId::as_str).into(),
                lock.node_id.as_ref().map_or("-", NodeId::as_str).into(),
                holder,
                age(left(lock)).into(),
                Cell::toned(&lock.key, Tone::Dim),
            ]);
        }
        output.table(&table)
    })?;
    Ok(Exit::Done)
}

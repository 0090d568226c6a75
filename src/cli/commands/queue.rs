//! `queue` and `queue peek`: how full the queue is, and what comes next.

use std::time::Duration;

use serde::Serialize;

use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    cli::{
        age::age,
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    cluster::{Cluster, Job, Lane},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QueueReport {
    depth: u64,
    oldest_age_seconds: Option<u64>,
    poison: u64,
}

/// Prints how full the queue is.
pub(in crate::cli) async fn depth(
    cluster: &Cluster,
    output: &mut Output,
) -> Result<Exit, CliError> {
    let (jobs, poison, workers) = tokio::try_join!(
        cluster.queue.depth(Lane::Jobs),
        cluster.queue.depth(Lane::Poison),
        cluster.coordination.workers(),
    )?;
    let oldest = jobs.oldest.map(|oldest| cluster.clock.now().since(oldest));
    let report = QueueReport {
        depth: jobs.messages,
        oldest_age_seconds: oldest.as_ref().map(Duration::as_secs),
        poison: poison.messages,
    };
    output.report(&report, |output| {
        let in_flight: u64 = workers.iter().map(|worker| u64::from(worker.in_flight)).sum();
        let mut table = Table::new([
            Column::right("DEPTH"),
            Column::right("OLDEST"),
            Column::right("IN FLIGHT"),
            Column::right("POISON"),
        ]);
        let tone = if report.poison > 0 { Tone::Bad } else { Tone::Plain };
        table.row([
            report.depth.to_string().into(),
            oldest.map_or("-".to_owned(), age).into(),
            in_flight.to_string().into(),
            Cell::toned(report.poison.to_string(), tone),
        ]);
        output.table(&table)
    })?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    run_id: Option<RunId>,
    blueprint_id: Option<BlueprintId>,
    node_id: Option<NodeId>,
    iteration: Option<u32>,
    age_seconds: u64,
    dequeue_count: u32,
    /// The body, if it is not a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// Prints the next messages, at most `count`, and leaves them.
pub(in crate::cli) async fn peek(
    cluster: &Cluster,
    count: usize,
    output: &mut Output,
) -> Result<Exit, CliError> {
    let now = cluster.clock.now();
    let peeked = cluster.queue.peek(Lane::Jobs, count).await?;
    let messages: Vec<Message> = peeked
        .into_iter()
        .map(|message| {
            let job = Job::decode(&message.body).ok();
            let body = job.is_none().then_some(message.body);
            let (run_id, blueprint_id, node_id, iteration) = match job {
                Some(job) => {
                    (Some(job.run_id), Some(job.blueprint_id), Some(job.node_id), job.iteration)
                }
                None => (None, None, None, None),
            };
            Message {
                id: message.message_id,
                run_id,
                blueprint_id,
                node_id,
                iteration,
                age_seconds: now.since(message.inserted_at).as_secs(),
                dequeue_count: message.dequeue_count,
                body,
            }
        })
        .collect();
    output.report(&messages, |output| {
        if messages.is_empty() {
            return output.line("No message is visible.");
        }
        let mut table = Table::new([
            Column::left("ID"),
            Column::right("AGE"),
            Column::right("TRIES"),
            Column::left("RUN"),
            Column::left("NODE"),
            Column::left("BLUEPRINT"),
        ]);
        for message in &messages {
            let run = match (&message.run_id, &message.body) {
                (Some(run), _) => run.as_str().into(),
                (None, body) => Cell::toned(
                    format!("not a job: {}", body.as_deref().unwrap_or_default()),
                    Tone::Bad,
                ),
            };
            table.row([
                message.id.as_str().into(),
                age(Duration::from_secs(message.age_seconds)).into(),
                message.dequeue_count.to_string().into(),
                run,
                message.node_id.as_ref().map_or("-", NodeId::as_str).into(),
                message.blueprint_id.as_ref().map_or("-", BlueprintId::as_str).into(),
            ]);
        }
        output.table(&table)
    })?;
    Ok(Exit::Done)
}

//! `dead-letters`: messages that could not be handled.

use serde::Serialize;

use crate::{
    blueprint::WorkerName,
    cli::{
        exit::{CliError, Exit},
        output::Output,
        table::{Cell, Column, Table, Tone},
    },
    cluster::{Cluster, DeadLetter, Job, Lane, MAX_RECEIVE, Peeked},
    engine::Timestamp,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    job: Option<Job>,
    body: String,
    truncated: bool,
    reason: String,
    dequeue_count: u32,
    failed_at: String,
    worker: Option<WorkerName>,
}

impl From<Peeked> for Entry {
    fn from(message: Peeked) -> Self {
        match DeadLetter::decode(&message.body) {
            Ok(letter) => Self {
                id: message.message_id,
                job: letter.job,
                body: letter.body,
                truncated: letter.truncated,
                reason: letter.reason,
                dequeue_count: letter.dequeue_count,
                failed_at: letter.failed_at,
                worker: Some(letter.worker),
            },
            // Somebody else put it there, such as another program's poison handling.
            Err(_) => Self {
                id: message.message_id,
                job: Job::decode(&message.body).ok(),
                body: message.body,
                truncated: false,
                reason: "unknown: not put here by flowcraft-tui".to_owned(),
                dequeue_count: message.dequeue_count,
                failed_at: message.inserted_at.to_string(),
                worker: None,
            },
        }
    }
}

/// Prints the entries of the poison queue that can be looked at: the first 32.
pub(in crate::cli) async fn list(cluster: &Cluster, output: &mut Output) -> Result<Exit, CliError> {
    let (peeked, depth) = tokio::try_join!(
        cluster.queue.peek(Lane::Poison, MAX_RECEIVE),
        cluster.queue.depth(Lane::Poison)
    )?;
    let entries: Vec<Entry> = peeked.into_iter().map(Entry::from).collect();
    output.report(&entries, |output| {
        if entries.is_empty() {
            return output.line("The poison queue is empty.");
        }
        let mut table = Table::new([
            Column::left("ID"),
            Column::left("FAILED AT"),
            Column::right("TRIES"),
            Column::left("RUN"),
            Column::left("NODE"),
            Column::left("REASON"),
        ]);
        for entry in &entries {
            let job = entry.job.as_ref();
            table.row([
                entry.id.as_str().into(),
                short_time(&entry.failed_at).into(),
                entry.dequeue_count.to_string().into(),
                job.map_or("-", |job| job.run_id.as_str()).into(),
                job.map_or("-", |job| job.node_id.as_str()).into(),
                Cell::toned(&entry.reason, Tone::Bad),
            ]);
        }
        output.table(&table)?;
        if depth.messages > MAX_RECEIVE as u64 {
            output.line(&format!("The first {} of {}.", entries.len(), depth.messages))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// The time to the second, or the text itself if it is none.
fn short_time(text: &str) -> String {
    match Timestamp::parse_rfc3339(text) {
        Some(time) => Timestamp::from_seconds(time.seconds()).to_string().replace(".000Z", "Z"),
        None => text.to_owned(),
    }
}

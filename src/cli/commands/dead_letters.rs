//! `dead-letters`: messages that could not be handled.

use serde::Serialize;

use crate::{
    blueprint::{Library, WorkerName},
    cli::{
        age::age,
        args::ListLettersArgs,
        context::{Context, Ended},
        exit::{CliError, Exit},
        output::{Format, Output},
        table::{Cell, Column, Table, Tone},
        text,
    },
    cluster::Job,
    engine::Timestamp,
    operations::{Fingerprint, Grouped, Letter, Operations, Reach, ReasonKind, group_letters},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    fingerprint: Fingerprint,
    job: Option<Job>,
    body: String,
    truncated: bool,
    reason: String,
    dequeue_count: u32,
    failed_at: String,
    worker: Option<WorkerName>,
    queue: Option<String>,
}

impl From<Letter> for Entry {
    fn from(message: Letter) -> Self {
        let (fingerprint, job) = (message.symptom.fingerprint, message.job());
        match message.letter {
            Some(letter) => Self {
                id: message.id,
                fingerprint,
                job,
                body: letter.body,
                truncated: letter.truncated,
                reason: letter.reason,
                dequeue_count: letter.dequeue_count,
                failed_at: letter.failed_at,
                worker: Some(letter.worker),
                queue: letter.queue,
            },
            // Somebody else put it there, such as another program's poison handling.
            None => Self {
                id: message.id,
                fingerprint,
                job,
                body: message.body,
                truncated: false,
                reason: "unknown: not put here by flowcraft-tui".to_owned(),
                dequeue_count: message.dequeue_count,
                failed_at: message.inserted_at.to_string(),
                worker: None,
                queue: None,
            },
        }
    }
}

/// Prints the entries of the poison queue: those that a look shows, which are 32 at most, or all.
pub(in crate::cli) async fn list(context: Context<'_>, args: ListLettersArgs) -> Ended {
    let operations = Operations::new(context.cluster().await?, Library::fixed(Vec::new()), "cli");
    let reach = if args.deep { Reach::Through } else { Reach::Glance };
    let (letters, total) =
        tokio::try_join!(operations.look_at_dead_letters(reach), operations.count_dead_letters())?;
    let seen = letters.len();
    let now = operations.cluster().clock.now();
    let output = context.output;
    if args.group && output.format() == Format::Human {
        print_groups(&letters, now, output)?;
    } else {
        let entries: Vec<Entry> = letters.into_iter().map(Entry::from).collect();
        output.report(&entries, |output| print_entries(&entries, output))?;
        if output.format() == Format::Json {
            return Ok(Exit::Done);
        }
    }
    if total > seen && seen > 0 {
        let how = if args.deep { "the others are held by somebody" } else { "--deep shows all" };
        output.line(&format!("The first {seen} of {total}; {how}."))?;
    }
    Ok(Exit::Done)
}

fn print_entries(entries: &[Entry], output: &mut Output) -> Result<(), CliError> {
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
    for entry in entries {
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
    output.table(&table)
}

fn print_groups(letters: &[Letter], now: Timestamp, output: &mut Output) -> Result<(), CliError> {
    if letters.is_empty() {
        return output.line("The poison queue is empty.");
    }
    let jobs: Vec<Option<Job>> = letters.iter().map(Letter::job).collect();
    let groups = group_letters(letters.iter().zip(&jobs).map(|(letter, job)| Grouped {
        symptom: &letter.symptom,
        failed_at: letter.failed_at(),
        run: job.as_ref().map(|job| &job.run_id),
    }));
    let mut table = Table::new([
        Column::left("GROUP"),
        Column::right("LETTERS"),
        Column::right("RUNS"),
        Column::right("OLDEST"),
        Column::right("NEWEST"),
        Column::left("BLUEPRINT/NODE"),
        Column::left("KIND"),
        Column::left("REASON"),
    ]);
    for group in &groups {
        let tone = match group.symptom.reason {
            ReasonKind::ForeignJob | ReasonKind::Foreign => Tone::Notable,
            _ => Tone::Bad,
        };
        table.row([
            group.symptom.fingerprint.to_string().into(),
            group.letters.len().to_string().into(),
            group.runs.to_string().into(),
            age(now.since(group.oldest)).into(),
            age(now.since(group.newest)).into(),
            group.symptom.place().unwrap_or_else(|| "-".to_owned()).into(),
            group.symptom.reason.as_str().into(),
            Cell::toned(&group.symptom.says, tone),
        ]);
    }
    output.table(&table)?;
    let letters = text::count(letters.len(), "dead letter");
    output.line(&format!("{letters} in {}.", text::count(groups.len(), "group")))
}

/// The time to the second, or the text itself if it is none.
fn short_time(text: &str) -> String {
    match Timestamp::parse_rfc3339(text) {
        Some(time) => Timestamp::from_seconds(time.seconds()).to_string().replace(".000Z", "Z"),
        None => text.to_owned(),
    }
}

//! The audit file: what was done from the dashboard, by whom, and what came of it.
//!
//! A JSON object a line, one when an action begins and one when it has ended, so that an action
//! whose end nobody saw can be told. Lines are only ever appended.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    cluster::{Clock, Cluster},
    engine::Timestamp,
    tui::{Operation, OperatorError, Outcome, Preview},
};

/// The most lines of a plan, and the most runs, that are written down.
const MOST: usize = 200;

/// An audit file, and who writes to it.
pub(super) struct Audit {
    file: PathBuf,
    cluster: String,
    clock: std::sync::Arc<dyn Clock>,
    user: String,
    host: String,
}

/// A line of the file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: String,
    event: Event,
    action: String,
    runs: &'a [crate::blueprint::RunId],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    plan: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [String],
    user: &'a str,
    host: &'a str,
    pid: u32,
    cluster: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Begun,
    Done,
    Failed,
}

impl Audit {
    /// An audit of what is done to a cluster. Nothing is written yet, but whether that is possible is
    /// found out.
    pub(super) fn open(file: &Path, cluster: &Cluster) -> io::Result<Self> {
        append(file, b"")?;
        Ok(Self {
            file: file.to_owned(),
            cluster: cluster.name.clone(),
            clock: cluster.clock.clone(),
            user: user(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        })
    }

    /// Writes down that an action begins.
    pub(super) async fn begun(
        &self,
        operation: &Operation,
        preview: &Preview,
    ) -> Result<(), String> {
        let plan = &preview.lines[..preview.lines.len().min(MOST)];
        self.write(&Line { plan, ..self.line(Event::Begun, operation) }).await
    }

    /// Writes down how an action ended.
    pub(super) async fn ended(
        &self,
        operation: &Operation,
        result: &Result<Outcome, OperatorError>,
    ) -> Result<(), String> {
        match result {
            Ok(outcome) => {
                let event = if outcome.problems.is_empty() { Event::Done } else { Event::Failed };
                let problems = &outcome.problems[..outcome.problems.len().min(MOST)];
                let result = Some(outcome.summary.as_str());
                self.write(&Line { result, problems, ..self.line(event, operation) }).await
            }
            Err(error) => {
                let why = error.to_string();
                let result = Some(why.as_str());
                self.write(&Line { result, ..self.line(Event::Failed, operation) }).await
            }
        }
    }

    fn line<'a>(&'a self, event: Event, operation: &'a Operation) -> Line<'a> {
        let runs = operation.runs();
        let at: Timestamp = self.clock.now();
        Line {
            at: at.to_string(),
            event,
            action: operation.title(),
            runs: &runs[..runs.len().min(MOST)],
            plan: &[],
            result: None,
            problems: &[],
            user: &self.user,
            host: &self.host,
            pid: std::process::id(),
            cluster: &self.cluster,
        }
    }

    async fn write(&self, line: &Line<'_>) -> Result<(), String> {
        let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", self.file.display());
        let mut bytes = serde_json::to_vec(line).map_err(|error| problem(&error))?;
        bytes.push(b'\n');
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || append(&file, &bytes)).await;
        written.map_err(|error| problem(&error))?.map_err(|error| problem(&error))
    }
}

/// Appends to a file that only its owner can read. In one write, so that lines of several programs
/// don't mix.
fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(bytes)
}

fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::cluster::{SystemClock, memory_cluster};

    #[tokio::test]
    async fn an_action_is_written_down_before_and_after() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let audit = Audit::open(&file, &memory_cluster(Arc::new(SystemClock))).unwrap();
        let operation = Operation::Cancel(vec!["r1".into(), "r2".into()]);
        let preview = Preview { lines: vec!["status: running".to_owned()], ..Preview::default() };
        audit.begun(&operation, &preview).await.unwrap();
        let outcome = Outcome {
            summary: "cancelled 1 run".to_owned(),
            run: None,
            problems: vec!["run r2: it has ended".to_owned()],
        };
        audit.ended(&operation, &Ok(outcome)).await.unwrap();
        audit.ended(&operation, &Err(OperatorError::Failed("away".to_owned()))).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert_eq!(events, ["begun", "failed", "failed"]);
        assert_eq!(lines[0]["runs"], serde_json::json!(["r1", "r2"]));
        assert_eq!(lines[0]["plan"][0], "status: running");
        assert_eq!(lines[1]["problems"][0], "run r2: it has ended");
        assert_eq!(lines[2]["result"], "away");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_found_out_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = memory_cluster(Arc::new(SystemClock));
        assert!(Audit::open(&folder.path().join("gone/audit.jsonl"), &cluster).is_err());
        let file = folder.path().join("audit.jsonl");
        let audit = Audit::open(&file, &cluster).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let problem = audit.begun(&Operation::PauseWorker, &Preview::default()).await.unwrap_err();
        assert!(problem.contains("audit.jsonl"), "{problem}");
    }
}

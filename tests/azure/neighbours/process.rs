//! The JavaScript programs, each a process that ends with the test that started it.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
};

/// Longer than any of them needs to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

type Lines = Arc<Mutex<Vec<Value>>>;

/// A running program. Killed when dropped.
pub(crate) struct Process {
    program: String,
    child: Child,
    /// Closed, it tells a worker to end.
    stdin: Option<ChildStdin>,
    printed: Lines,
    logged: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// Reads lines of JSON as they come. What is none is kept as text, for who looks into a failure.
fn read(stream: impl AsyncRead + Unpin + Send + 'static, lines: Lines) -> JoinHandle<()> {
    let mut reader = BufReader::new(stream).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = reader.next_line().await {
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            lines.lock().unwrap().push(line);
        }
    })
}

impl Process {
    /// Starts one of `tests/services/neighbour`, which finds the servers described.
    pub(crate) fn start(program: &str, services: &Value, arguments: &[String]) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/neighbour");
        let mut child = Command::new("node")
            .arg(format!("{folder}/{program}"))
            .args(arguments)
            .env("FLOWCRAFT_TEST_SERVICES", services.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (printed, logged) = (Lines::default(), Lines::default());
        let readers = vec![
            read(child.stdout.take().unwrap(), printed.clone()),
            read(child.stderr.take().unwrap(), logged.clone()),
        ];
        let stdin = child.stdin.take();
        Self { program: program.to_owned(), child, stdin, printed, logged, readers }
    }

    /// The events of a kind that it has logged so far.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let logged = self.logged.lock().unwrap();
        logged.iter().filter(|line| line["event"] == event).cloned().collect()
    }

    /// Waits for an event.
    pub(crate) async fn until(&self, event: &str) {
        let limit = tokio::time::Instant::now() + PATIENCE;
        while self.events(event).is_empty() {
            assert!(tokio::time::Instant::now() < limit, "no {event}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> Vec<Value> {
        self.printed.lock().unwrap().clone()
    }

    /// Waits until it ends by itself. Returns what it printed.
    pub(crate) async fn done(mut self) -> Vec<Value> {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end: {}", self.said()));
        for reader in std::mem::take(&mut self.readers) {
            reader.await.unwrap();
        }
        assert!(status.unwrap().success(), "{}", self.said());
        self.printed()
    }

    /// Has a worker end once the jobs in its hands are done.
    pub(crate) async fn end(mut self) -> Vec<Value> {
        drop(self.stdin.take());
        self.done().await
    }

    fn said(&self) -> String {
        format!("{}: {:#?} {:#?}", self.program, self.printed(), self.logged.lock().unwrap())
    }
}

//! Several processes on one SQLite file, and processes that are killed at any moment.
//!
//! The child processes are this test program again, told by the environment what to do.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use flowcraft_tui::{
    blueprint::{NodeId, RunId},
    cluster::{
        Cluster, Fault, Key, Lane, MAX_RECEIVE, ReadDocument, StatusItem, StatusQuery, SystemClock,
        Version, contract::empty_document, sqlite_cluster,
    },
    engine::{Op, RunDocument, RunStatus, Timestamp},
};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_hours(1);

fn set(key: &str, value: Value) -> Op {
    Op::Set(key.into(), Arc::new(value))
}

async fn open(path: &Path) -> Cluster {
    sqlite_cluster(path, Arc::new(SystemClock)).await.unwrap()
}

async fn whole(cluster: &Cluster, run: &RunId) -> Option<(RunDocument, Version)> {
    match cluster.state.read_document(run, None).await.unwrap() {
        ReadDocument::Whole(document, version) => Some((*document, version)),
        _ => None,
    }
}

/// Starts this program again to run only the test `role`.
fn child(role: &str, path: &Path, name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", role, "--nocapture"])
        .env("SQLITE_TEST_FILE", path)
        .env("SQLITE_TEST_CHILD", name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child was told: the file, and its name.
fn told() -> (std::path::PathBuf, String) {
    let file = env::var_os("SQLITE_TEST_FILE").expect("only run as a child of another test");
    (file.into(), env::var("SQLITE_TEST_CHILD").unwrap())
}

fn sound(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let verdict: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child process of another test"]
async fn child_that_commits_until_it_is_killed() {
    let (path, name) = told();
    let cluster = open(&path).await;
    let mut tasks = Vec::new();
    for task in 0..4 {
        let cluster = cluster.clone();
        let run = RunId::from(format!("{name}.{task}"));
        tasks.push(tokio::spawn(async move {
            let mut document = empty_document();
            let mut version = cluster.state.create_document(&run, &document).await.unwrap();
            for count in 1.. {
                // Two keys that must change together, in values of growing size.
                let filling = "f".repeat(count % 3000);
                let ops = [set("count", json!(count)), set("twin", json!([count, filling]))];
                for op in &ops {
                    document.apply(op);
                }
                version =
                    cluster.state.commit_document(&run, &version, &ops, &document).await.unwrap();
                println!("\ncommitted {run} {count}");
                let body = format!("{run} {count}");
                cluster.queue.send(Lane::Jobs, body, Duration::ZERO).await.unwrap();
                println!("\nsent {run} {count}");
                if count % 5 == 0 {
                    let received = cluster.queue.receive(Lane::Jobs, 1, HOUR).await.unwrap();
                    for delivery in received {
                        println!("\ndeleting {}", delivery.body);
                        cluster.queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
                        println!("\ndeleted {}", delivery.body);
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// What the children reported, over all rounds.
#[derive(Default)]
struct Reported {
    committed: BTreeMap<String, u64>,
    sent: BTreeSet<String>,
    deleting: BTreeSet<String>,
    deleted: BTreeSet<String>,
}

impl Reported {
    fn note(&mut self, line: &str) {
        let Some((word, what)) = line.split_once(' ') else { return };
        match word {
            "committed" => {
                let (run, count) = what.split_once(' ').unwrap();
                self.committed.insert(run.to_owned(), count.parse().unwrap());
            }
            "sent" => drop(self.sent.insert(what.to_owned())),
            "deleting" => drop(self.deleting.insert(what.to_owned())),
            "deleted" => drop(self.deleted.insert(what.to_owned())),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_reported_is_lost_when_processes_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    let mut reported = Reported::default();
    for round in 0..6 {
        let mut children: Vec<Child> = (0..2)
            .map(|number| {
                let name = format!("{round}-{number}");
                child("child_that_commits_until_it_is_killed", &path, &name)
            })
            .collect();
        let readers: Vec<_> = children
            .iter_mut()
            .map(|child| child.stdout.take().unwrap())
            .map(|mut output| {
                std::thread::spawn(move || {
                    let mut text = String::new();
                    output.read_to_string(&mut text).unwrap();
                    text
                })
            })
            .collect();
        let life = 300 + rand::random::<u64>() % 300;
        tokio::time::sleep(Duration::from_millis(life)).await;
        for child in &mut children {
            assert_eq!(child.try_wait().unwrap(), None, "a child ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for reader in readers {
            let text = reader.join().unwrap();
            // A last line that was cut off was not reported.
            let (complete, _) = text.rsplit_once('\n').unwrap_or_default();
            complete.lines().for_each(|line| reported.note(line));
        }
    }
    assert!(reported.committed.len() > 12, "the children lived too shortly to show anything");

    sound(&path);
    let cluster = open(&path).await;
    for (run, reported) in &reported.committed {
        let (document, _) = whole(&cluster, &RunId::from(run.as_str())).await.unwrap();
        let count = document.get("count").unwrap().as_u64().unwrap();
        assert!(count >= *reported, "run {run}: {count} of {reported}");
        assert_eq!(document.get("twin").unwrap()[0], json!(count), "run {run}");
    }
    let mut kept = BTreeSet::new();
    loop {
        let deliveries = cluster.queue.receive(Lane::Jobs, MAX_RECEIVE, HOUR).await.unwrap();
        if deliveries.is_empty() {
            break;
        }
        kept.extend(deliveries.into_iter().map(|delivery| delivery.body));
    }
    // What was received in a child is hidden for an hour: it is in the queue, though.
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut statement = connection.prepare("SELECT body FROM messages").unwrap();
    let all: BTreeSet<String> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(kept.is_subset(&all) && !kept.is_empty());
    let lost: Vec<_> = reported
        .sent
        .iter()
        .filter(|m| !all.contains(*m) && !reported.deleting.contains(*m))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    let returned: Vec<_> = reported.deleted.intersection(&all).collect();
    assert!(returned.is_empty(), "{returned:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_may_be_created_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let path = folder.path().join(format!("{round}.db"));
        let openers: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { sqlite_cluster(&path, Arc::new(SystemClock)).await })
            })
            .collect();
        for opener in openers {
            opener.await.unwrap().unwrap();
        }
    }
}

const CHILDREN: u64 = 3;
const ROUNDS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a child process of another test"]
async fn child_that_counts_with_others() {
    let (path, name) = told();
    let cluster = open(&path).await;
    let run = RunId::from("shared");
    let counter = Key::fan_in(&run, &NodeId::from("join"));
    if let Err(error) = cluster.state.create_document(&run, &empty_document()).await {
        assert_eq!(error.fault, Fault::Conflict, "{error}");
    }
    for round in 0..ROUNDS {
        cluster.coordination.increment(&counter, HOUR).await.unwrap();
        loop {
            let (mut document, version) = whole(&cluster, &run).await.unwrap();
            let count = document.get("count").map_or(0, |value| value.as_u64().unwrap());
            let ops = [set("count", json!(count + 1)), set(&name, json!(round))];
            for op in &ops {
                document.apply(op);
            }
            match cluster.state.commit_document(&run, &version, &ops, &document).await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.fault, Fault::Conflict, "{error}"),
            }
        }
        let item = StatusItem {
            run_id: RunId::from(format!("{name}-{round}")),
            status: Some(RunStatus::Completed),
            last_updated: Timestamp::from_seconds(1),
            blueprint_id: None,
            started_at: None,
            nodes: None,
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: None,
            final_status: None,
            remarks: flowcraft_tui::cluster::Remarks::default(),
        };
        cluster.state.create_status(&item).await.unwrap();
        for delivery in cluster.queue.receive(Lane::Jobs, 3, HOUR).await.unwrap() {
            println!("\nreceived {}", delivery.body);
            cluster.queue.delete(Lane::Jobs, &delivery.receipt).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_file_count_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.db");
    // They create the file at the same time, too; the messages are sent while they work.
    let children: Vec<Child> = (0..CHILDREN)
        .map(|number| child("child_that_counts_with_others", &path, &format!("child {number}")))
        .collect();
    let cluster = open(&path).await;
    let messages: BTreeSet<String> =
        (0..CHILDREN * ROUNDS).map(|number| format!("message {number}")).collect();
    cluster.queue.send_all(Lane::Jobs, messages.iter().cloned().collect()).await.unwrap();

    let mut seen = BTreeSet::new();
    let mut mark = None;
    let mut received = Vec::new();
    for child in children {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await;
        let output = output.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        received.extend(
            text.lines().filter_map(|line| line.strip_prefix("received ")).map(str::to_owned),
        );
        let query =
            StatusQuery { changed_after: mark, limit: usize::MAX, ..StatusQuery::default() };
        let page = cluster.state.list_statuses(&query).await.unwrap();
        mark = Some(page.mark);
        seen.extend(page.items.into_iter().map(|status| status.item.run_id));
    }
    let total = CHILDREN * ROUNDS;
    let run = RunId::from("shared");
    let counter = Key::fan_in(&run, &NodeId::from("join"));
    assert_eq!(cluster.coordination.get(&counter).await.unwrap(), Some(total.to_string()));
    let (document, _) = whole(&cluster, &run).await.unwrap();
    assert_eq!(**document.get("count").unwrap(), json!(total));
    assert_eq!(seen.len() as u64, total);

    let left = cluster.queue.receive(Lane::Jobs, MAX_RECEIVE, HOUR).await.unwrap();
    let mut remaining: Vec<_> = left.into_iter().map(|delivery| delivery.body).collect();
    while let [delivery] = &cluster.queue.receive(Lane::Jobs, 1, HOUR).await.unwrap()[..] {
        remaining.push(delivery.body.clone());
    }
    received.extend(remaining);
    assert_eq!(received.len(), messages.len(), "no message twice");
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), messages);
    drop(cluster);
    sound(&path);
}

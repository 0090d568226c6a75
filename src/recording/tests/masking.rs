//! No secret gets into a file, whatever part of a snapshot it is in.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::stage::{Stage, at, item, live, lock, row, runs, worker};
use crate::{
    blueprint::{Library, sanitize},
    cluster::{DeadLetter, Job},
    engine::RunStatus,
    monitor::{
        AwaitingNode, DeadLetterRow, LocksView, NodeRow, NodeShown, QueueView, RunDetail, Snapshot,
        SourceState, Sourced, Subject, Warning, WarningKind, Warnings, WorkersView,
    },
    recording::{Event, LogLevel, LogLine, Masker},
};

/// Texts with a secret in them, and the secret.
fn table() -> Vec<(String, &'static str)> {
    let texts = [
        ("AccountName=shop;AccountKey=S3CRETaccountkey==;EndpointSuffix=x", "S3CRETaccountkey"),
        ("Endpoint=sb://x;SharedAccessKey=S3CRETshared+/=", "S3CRETshared"),
        ("https://x.net/q?sv=1&sig=S3CRETsig%2B&se=2", "S3CRETsig"),
        ("redis://:S3CRETredis@cache:6379", "S3CRETredis"),
        ("rediss://me:S3/CRET@tls@cache:6380/0", "CRET@tls"),
        ("cache.x.net:6380,password=S3CRETcomma=,ssl=True", "S3CRETcomma"),
        ("Authorization: Bearer S3CRETbearer.x-y", "S3CRETbearer"),
        ("it sent Bearer S3CRETplain to us", "S3CRETplain"),
        ("Authorization: Basic UzNDUkVUYmFzaWM6eA==", "UzNDUkVUYmFzaWM6eA"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJTM0NSRVQifQ.UzNDUkVUc2ln ok", "UzNDUkVUc2ln"),
        (
            "-----BEGIN PRIVATE KEY-----\nUzNDUkVUcGVt\nabc=\n-----END PRIVATE KEY-----",
            "UzNDUkVUcGVt",
        ),
        ("password=S3CRETpw", "S3CRETpw"),
        ("{\"api-key\": \"S3CRETjson\", broken", "S3CRETjson"),
        ("{\"user\":\"me\",\"clientSecret\":\"S3CRETwhole\"}", "S3CRETwhole"),
        ("Cookie: sid=S3CRETcookie; a=b", "S3CRETcookie"),
        ("from the environment: c0nfigured-S3CRET!", "c0nfigured-S3CRET"),
    ];
    let mut table: Vec<(String, &str)> =
        texts.iter().map(|(text, secret)| ((*text).to_owned(), *secret)).collect();
    // All of it in base64, alone and in a line, and in JSON in base64.
    for (text, secret) in texts {
        table.push((STANDARD.encode(text), secret));
        table.push((format!("the message {} is no job", STANDARD.encode(text)), secret));
        table.push((STANDARD.encode(json!({"runId": "r", "input": text}).to_string()), secret));
    }
    table.push((STANDARD.encode("{\"runId\":\"r\",\"token\":\"S3CRETinner\"}"), "S3CRETinner"));
    table
}

/// Every part of a snapshot with a text wherever one can be.
fn snapshot_of(text: &str) -> Snapshot {
    let text = || text.to_owned();
    let values = || {
        let named = [
            "password",
            "Passwd",
            "client_secret",
            "accessToken",
            "api-key",
            "APIKEY",
            "authorization",
            "ConnectionString",
            "credentials",
            "cookie",
            "private.key",
        ];
        let mut map: Map<String, Value> = named
            .into_iter()
            .map(|name| (name.to_owned(), json!({"deep": ["S3CRETnamed", 5_318_008]})))
            .collect();
        map.insert("text".to_owned(), text().into());
        map.insert("list".to_owned(), json!([{ "inner": text() }]));
        map.insert(text(), json!(1));
        map
    };
    let mut job = Job::new("r".into(), "b".into(), "a".into());
    job.traceparent = Some(text());
    let letter = DeadLetter {
        job: Some(job),
        reason: text(),
        ..DeadLetter::new(&text(), "", 5, at(0), "w".into())
    };
    let mut status = item("r", RunStatus::Failed, 0);
    status.error = Some(text());
    status.final_status = Some(Box::new(json!({"payload": values()})));
    let node = NodeRow {
        id: "get-token".into(),
        uses: Some(text()),
        state: NodeShown::Failed,
        iteration: 1,
        attempts: 1,
        started_at: None,
        finished_at: None,
        due_at: None,
        worker: Some(text()),
        error: Some(text()),
        action: Some(text()),
        awaits: None,
        ..NodeRow::unknown("get-token")
    };
    let detail = RunDetail {
        run: "r".into(),
        found: true,
        blueprint: None,
        blueprint_version: Some(text()),
        status: Some(RunStatus::Failed),
        parent: None,
        started_at: None,
        finished_at: None,
        nodes: vec![node],
        outputs: values(),
        context: values(),
        awaiting: vec![AwaitingNode { node: "n".into(), actions: vec![text()] }],
        warnings: vec![text()],
        size: 1,
        ..RunDetail::missing("r".into())
    };
    let mut held = lock("r", 9);
    held.value = text();
    let mut beat = worker("w", 1);
    beat.host = text();
    let queue = QueueView {
        dead_letters: vec![DeadLetterRow::new("m".to_owned(), at(0), 1, letter.encode())],
        ..QueueView::default()
    };
    let mut snapshot = Snapshot {
        cluster: text().into(),
        queue: live(queue, at(0)),
        runs: live(runs([row(status)]), at(0)),
        locks: live(LocksView { locks: vec![held], ..LocksView::default() }, at(0)),
        workers: live(WorkersView { workers: vec![beat], ..WorkersView::default() }, at(0)),
        detail: live(Some(detail), at(0)),
        warnings: live(
            Warnings::new(vec![Warning {
                kind: WarningKind::Remark,
                subject: Subject::Run("r".into()),
                text: text(),
                since: at(0),
            }]),
            at(0),
        ),
    };
    let state = SourceState::Stale { error: text().into(), next_try: at(1) };
    fail(&mut snapshot.queue, &state);
    fail(&mut snapshot.runs, &state);
    fail(&mut snapshot.locks, &state);
    fail(&mut snapshot.workers, &state);
    fail(&mut snapshot.detail, &state);
    snapshot
}

fn fail<T>(part: &mut Sourced<T>, state: &SourceState) {
    part.state = state.clone();
}

/// A text with everything in it that is base64 unpacked beside it.
fn unpacked(text: &str, depth: usize) -> String {
    let mut all = text.to_owned();
    let pieces = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')));
    for piece in pieces.filter(|piece| depth < 5 && piece.len() >= 12) {
        let whole = piece.trim_end_matches('=');
        for end in [whole.len(), whole.len() / 4 * 4] {
            let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
            if let Ok(Ok(inner)) = engine.decode(&whole[..end]).map(String::from_utf8) {
                all.push('\n');
                all.push_str(&unpacked(&inner, depth + 1));
            }
        }
    }
    all
}

#[tokio::test]
async fn no_secret_is_in_the_file_wherever_it_was() {
    for (text, secret) in table() {
        assert!(unpacked(&text, 0).contains(secret), "{text}");
        let stage = Stage::with(64_000_000, Masker::new(["c0nfigured-S3CRET!".to_owned()]));
        let file = stage.file();
        let blueprint = sanitize(json!({
            "id": "b",
            "metadata": {"example": {"password": "S3CRETnamed", "note": text}},
            "nodes": [{"id": "a", "uses": "x", "params": {"header": text, "token": "S3CRETnamed"}}],
            "edges": [],
        }))
        .unwrap();
        stage.recorder.blueprints(Library::fixed(vec![blueprint]).state()).await;
        // As a key frame, as a change, and at the end.
        stage.snapshot(at(0), &Snapshot::empty("shop")).await;
        stage.snapshot(at(1), &snapshot_of(&text)).await;
        stage.recorder.event(Event::Operation {
            title: text.clone(),
            result: text.clone(),
            ok: false,
        });
        stage.recorder.log(LogLine {
            level: LogLevel::Error,
            target: text.clone(),
            text: format!("it said: {text}"),
        });
        let mut other = snapshot_of(&text);
        other.runs = Sourced { data: Arc::default(), ..other.runs };
        stage.snapshot(at(2), &other).await;
        let (_folder, mut recording) = stage.read().await;
        let found = unpacked(&std::fs::read_to_string(&file).unwrap(), 0);
        for secret in [secret, "S3CRETnamed", "5318008"] {
            let place = found.find(secret).map(|at| {
                found[found.floor_char_boundary(at.saturating_sub(120))..at + secret.len()]
                    .to_owned()
            });
            assert_eq!(place, None, "{secret} of {text}");
        }
        let read = recording.snapshot(at(1)).unwrap();
        let detail = read.detail.data.as_ref().as_ref().unwrap();
        assert_eq!(detail.nodes[0].id.as_str(), "get-token", "ids are left");
        assert_eq!(detail.outputs["password"], "***");
    }
}

#[tokio::test]
async fn a_message_that_is_a_job_is_still_one() {
    let stage = Stage::new(64_000_000);
    let body =
        STANDARD.encode(r#"{"runId":"r-1","blueprintId":"b","nodeId":"a","password":"S3CRET"}"#);
    stage.snapshot(at(0), &snapshot_of(&body)).await;
    let (_folder, mut recording) = stage.read().await;
    let read = recording.snapshot(at(0)).unwrap();
    let letter = read.queue.data.dead_letters[0].letter.clone().unwrap();
    assert_eq!(Job::decode(&letter.body).unwrap().run_id.as_str(), "r-1");
}

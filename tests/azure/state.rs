//! The state store on a Cosmos DB server.

use std::{sync::Arc, time::Duration};

use flowcraft_tui::{
    blueprint::RunId,
    cluster::{
        ChangeMark, Cluster, ClusterError, CosmosConnection, CosmosNames, CosmosStore, Fault,
        ReadDocument, StateStore, StatusItem, StatusQuery, SystemClock, Version,
        contract::{Sleeping, Subject, empty_document},
        memory_cluster,
    },
    engine::{Op, RunDocument, RunStatus, Timestamp},
};
use serde_json::{Value, json};

use crate::{
    raw::Raw,
    services::{Services, fresh, services},
};

async fn setup() -> Option<Subject> {
    let state = Arc::new(services()?.state().await.0);
    let cluster = Cluster { state, ..memory_cluster(Arc::new(SystemClock)) };
    Some(Subject { cluster, time: Arc::new(Sleeping), keep: Box::new(()) })
}

flowcraft_tui::cluster_contract!(only state: #[tokio::test] setup);

fn status(run: &RunId) -> StatusItem {
    StatusItem {
        run_id: run.clone(),
        status: Some(RunStatus::Running),
        last_updated: Timestamp::from_seconds(1_795_428_784),
        blueprint_id: Some("b".into()),
        started_at: Some(Timestamp::from_seconds(1_795_428_000)),
        nodes: None,
        error: None,
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: flowcraft_tui::cluster::Remarks::default(),
    }
}

async fn whole(store: &CosmosStore, run: &RunId) -> (RunDocument, Version) {
    match store.read_document(run, None).await.unwrap() {
        ReadDocument::Whole(document, version) => (*document, version),
        other => panic!("expected a document, got {other:?}"),
    }
}

#[tokio::test]
async fn what_a_javascript_client_stored_without_a_run_id_is_found_and_moved() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let raw = Raw::of(services, &database);
    let run = RunId::from(fresh("run"));
    let context = json!({"id": &*run, "blueprintId": "b", "k": 1});
    raw.upsert("contexts", None, &context).await;
    let item = json!({"id": &*run, "status": "running", "lastUpdated": "2026-11-20T09:33:04Z"});
    raw.upsert("statuses", None, &item).await;

    let (document, version) = whole(&store, &run).await;
    assert!(document.head().is_unadopted());
    assert_eq!(document.get("k").map(|value| (**value).clone()), Some(json!(1)));
    let unchanged = store.read_document(&run, Some(&version)).await.unwrap();
    assert!(matches!(unchanged, ReadDocument::Unchanged));
    let known = store.read_status(&run).await.unwrap().unwrap();
    assert_eq!(known.item.last_updated, Timestamp::from_seconds(1_795_167_184));
    let listed = store.list_statuses(&StatusQuery { limit: 9, ..StatusQuery::default() }).await;
    assert_eq!(listed.unwrap().items, std::slice::from_ref(&known));

    let ops = [Op::Set("k".into(), Arc::new(json!(2)))];
    let mut after = document.clone();
    after.apply(&ops[0]);
    let moved = store.commit_document(&run, &version, &ops, &after).await.unwrap();
    store.replace_status(&status(&run), &known.version).await.unwrap();
    assert_eq!(whole(&store, &run).await.1, moved);
    for container in ["contexts", "statuses"] {
        assert_eq!(raw.read(container, None, &run).await, None, "{container}: nothing is left");
        assert!(raw.read(container, Some(&run), &run).await.is_some(), "{container}");
    }
    let stale = store.commit_document(&run, &version, &ops, &after).await.unwrap_err();
    assert_eq!(stale.fault, Fault::Conflict);
}

#[tokio::test]
async fn of_an_item_that_was_moved_by_somebody_who_died_then_the_new_one_counts() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let raw = Raw::of(services, &database);
    let run = RunId::from(fresh("run"));
    let old = json!({"id": &*run, "status": "running", "lastUpdated": 1});
    raw.upsert("statuses", None, &old).await;
    let new = StatusItem { status: Some(RunStatus::Completed), ..status(&run) };
    store.create_status(&new).await.unwrap();
    let query = StatusQuery { limit: 9, ..StatusQuery::default() };
    let items = store.list_statuses(&query).await.unwrap().items;
    assert_eq!(items.iter().map(|listed| listed.item.status).collect::<Vec<_>>(), [new.status]);
    assert_eq!(raw.read("statuses", None, &run).await, None, "the old one is cleared away");
}

#[tokio::test]
async fn items_of_javascript_workers_are_listed_whatever_form_their_times_have() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let raw = Raw::of(services, &database);
    let items = [
        ("old-number", json!(1_700_000_000)),
        ("old-text", json!("2023-11-14T22:13:20Z")),
        ("new-number", json!(4_000_000_000_i64)),
        ("new-text", json!("2096-10-02T07:06:40Z")),
        ("absent", Value::Null),
    ];
    for (run, time) in &items {
        let mut item = json!({"id": run, "runId": run, "status": "running"});
        if !time.is_null() {
            item["lastUpdated"] = time.clone();
        }
        raw.upsert("statuses", Some(run), &item).await;
    }
    let stalled = async |before: i64| -> Vec<String> {
        let query = StatusQuery {
            statuses: vec![RunStatus::Running],
            touched_before: Some(Timestamp::from_seconds(before)),
            limit: 100,
            ..StatusQuery::default()
        };
        let page = store.list_statuses(&query).await.unwrap();
        let mut runs: Vec<_> =
            page.items.iter().map(|listed| listed.item.run_id.to_string()).collect();
        runs.sort();
        runs
    };
    assert_eq!(stalled(1_700_000_001).await, ["old-number", "old-text"]);
    // Without a time of its own, an item is as old as its last write.
    assert_eq!(stalled(3_900_000_000).await, ["absent", "old-number", "old-text"]);
}

#[tokio::test]
async fn a_read_of_what_has_not_changed_carries_no_document() {
    let Some(services) = Services::own(&[]) else { return };
    let (store, _) = services.state().await;
    let run = RunId::from("r");
    let mut document = empty_document();
    document.apply(&Op::Set("large".into(), Arc::new(json!("x".repeat(200_000)))));
    let version = store.create_document(&run, &document).await.unwrap();
    services.reset_counts().await;
    let read = store.read_document(&run, Some(&version)).await.unwrap();
    assert!(matches!(read, ReadDocument::Unchanged));
    let counts = services.counts().await;
    assert_eq!(counts["cosmos"]["requests"], 1);
    assert!(counts["cosmos"]["bytesOut"].as_u64().unwrap() < 1_000, "{counts}");
}

#[tokio::test]
async fn each_call_is_one_request() {
    let Some(services) = Services::own(&[]) else { return };
    let (store, _) = services.state().await;
    let run = RunId::from("r");
    // What there is to know of the account and the containers is read once.
    assert!(store.read_status(&run).await.unwrap().is_none());
    assert!(matches!(store.read_document(&run, None).await.unwrap(), ReadDocument::Missing));
    services.reset_counts().await;
    let version = store.create_document(&run, &empty_document()).await.unwrap();
    let (document, _) = whole(&store, &run).await;
    store.commit_document(&run, &version, &[], &document).await.unwrap();
    let version = store.create_status(&status(&run)).await.unwrap();
    store.replace_status(&status(&run), &version).await.unwrap();
    store.read_status(&run).await.unwrap();
    let counts = services.counts().await;
    assert_eq!(counts["cosmos"]["requests"], 6, "{counts}");
    assert_eq!(counts["cosmos"]["kinds"]["replace"], 2, "{counts}");
}

#[tokio::test]
async fn what_the_service_answers_is_told_apart() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let run = RunId::from(fresh("run"));
    let version = store.create_document(&run, &empty_document()).await.unwrap();
    let on_contexts = json!({"pathIncludes": format!("{database}/colls/contexts/docs")});
    let cases = [
        (
            json!({"status": 429, "headers": {"x-ms-retry-after-ms": "70"}, "substatus": 3200}),
            "429",
        ),
        (json!({"status": 503}), "503"),
        (json!({"status": 500}), "500"),
        (json!({"status": 403, "substatus": 5301}), "role"),
        (json!({"status": 403}), "firewall"),
        (json!({"status": 401}), "401"),
        (json!("reset"), "connection"),
    ];
    for (fault, said) in cases {
        let rule = json!({"service": "cosmos", "match": on_contexts, "fault": fault});
        let failing = services.fault(rule).await;
        let error =
            store.commit_document(&run, &version, &[], &empty_document()).await.unwrap_err();
        failing.lift().await;
        assert!(error.to_string().contains(said), "{fault}: {error}");
        let expected = match said {
            "429" => Fault::Throttled { retry_after: Some(Duration::from_millis(70)) },
            "role" | "firewall" | "401" => Fault::Refused,
            _ => Fault::Unavailable,
        };
        assert_eq!(error.fault, expected, "{fault}: {error}");
    }
    // A write of the same item was under way within the service: that passes at once.
    let rule =
        json!({"service": "cosmos", "match": on_contexts, "fault": {"status": 449}, "count": 2});
    let failing = services.fault(rule).await;
    store.commit_document(&run, &version, &[], &empty_document()).await.unwrap();
    failing.lift().await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_in_doubt_or_a_conflict_but_never_reported_as_undone() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let run = RunId::from(fresh("run"));
    let version = store.create_document(&run, &empty_document()).await.unwrap();
    let mut after = empty_document();
    after.apply(&Op::Set("k".into(), Arc::new(json!(1))));
    let rule = json!({
        "service": "cosmos", "fault": "reset-after", "count": 1,
        "match": {"pathIncludes": format!("{database}/colls/contexts/docs"), "kind": "replace"}
    });
    let failing = services.fault(rule).await;
    let error = store.commit_document(&run, &version, &[], &after).await.unwrap_err();
    failing.lift().await;
    assert!(matches!(error.fault, Fault::Unavailable | Fault::Conflict), "{error}");
    assert_eq!(whole(&store, &run).await.0.get("k").map(|value| (**value).clone()), Some(json!(1)));
}

async fn refusal(connection: &str, names: CosmosNames) -> ClusterError {
    let store = CosmosStore::new(CosmosConnection::parse(connection).unwrap(), names);
    let error = store.read_document(&RunId::from("r"), None).await.unwrap_err();
    assert_eq!(store.read_status(&RunId::from("r")).await.unwrap_err().fault, error.fault);
    error
}

#[tokio::test]
async fn a_wrong_set_up_is_refused_with_what_to_do() {
    let Some(services) = services() else { return };
    let (_, database) = services.state().await;
    let good = services.text("/cosmos/connectionString");
    let error = refusal(good, CosmosNames::default()).await;
    assert_eq!(error.fault, Fault::Refused);
    assert!(error.to_string().contains("flowcraft-db/contexts"), "{error}");
    assert!(error.to_string().contains("flowcraft-tui provision"), "{error}");

    let misnamed = CosmosNames {
        database: database.clone(),
        contexts: "context".into(),
        ..Default::default()
    };
    let store = CosmosStore::new(CosmosConnection::parse(good).unwrap(), misnamed);
    let error = store.read_document(&RunId::from("r"), None).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "a missing container is no empty one: {error}");

    let endpoint = services.text("/cosmos/endpoint");
    let wrong_key = format!("AccountEndpoint={endpoint};AccountKey=c2VjcmV0a2V5;");
    let names = CosmosNames { database, ..CosmosNames::default() };
    let error = refusal(&wrong_key, names.clone()).await;
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert!(error.to_string().contains("AccountKey") && !error.to_string().contains("c2Vjcm"));

    let nobody = "AccountEndpoint=http://127.0.0.1:9/;AccountKey=c2VjcmV0a2V5;";
    let error = refusal(nobody, names.clone()).await;
    assert_eq!(error.fault, Fault::Unavailable, "{error}");
    let nowhere = "AccountEndpoint=https://no-such-account.invalid/;AccountKey=c2VjcmV0a2V5;";
    let error = refusal(nowhere, names).await;
    assert_eq!(error.fault, Fault::Unavailable, "{error}");
    assert!(error.to_string().contains("no-such-account.invalid"), "{error}");
}

#[tokio::test]
async fn a_store_that_was_out_of_reach_at_first_is_used_once_it_answers() {
    let Some(services) = Services::own(&[]) else { return };
    let (_, database) = services.state().await;
    let connection = CosmosConnection::parse(services.text("/cosmos/connectionString")).unwrap();
    let store = CosmosStore::new(connection, CosmosNames { database, ..CosmosNames::default() });
    let away = services.fault(json!({"service": "cosmos", "fault": "refuse"})).await;
    let error = store.read_status(&RunId::from("r")).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unavailable, "{error}");
    away.lift().await;
    assert_eq!(store.read_status(&RunId::from("r")).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let Some(services) = services() else { return };
    let (store, database) = services.state().await;
    let rule = json!({
        "service": "cosmos", "fault": "timeout", "match": {"pathIncludes": database.clone()}
    });
    let silent = services.fault(rule).await;
    let began = std::time::Instant::now();
    let error = store.read_status(&RunId::from("r")).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    silent.lift().await;
}

#[tokio::test]
async fn nothing_changed_means_one_small_query_however_many_runs_there_are() {
    let Some(services) = Services::own(&[]) else { return };
    let (store, database) = services.state().await;
    let raw = Raw::of(&services, &database);
    for number in 0..300 {
        let run = format!("run-{number}");
        let item = json!({"id": run, "runId": run, "status": "completed", "lastUpdated": number});
        raw.upsert("statuses", Some(&run), &item).await;
    }
    let changes = async |mark: ChangeMark| {
        let query =
            StatusQuery { changed_after: Some(mark), limit: 1_000, ..StatusQuery::default() };
        store.list_statuses(&query).await.unwrap()
    };
    let page = changes(ChangeMark(0)).await;
    assert_eq!(page.items.len(), 300);
    // The last second is looked at again, until nothing more can be written in it.
    let mut mark = page.mark;
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        mark = changes(mark).await.mark;
    }
    services.reset_counts().await;
    let page = changes(mark).await;
    assert_eq!(page.items.len(), 0);
    let counts = services.counts().await;
    assert!(counts["cosmos"]["requests"].as_u64().unwrap() <= 2, "{counts}");
    let late = json!({"id": "late", "runId": "late", "status": "running", "lastUpdated": 1});
    raw.upsert("statuses", Some("late"), &late).await;
    assert_eq!(changes(page.mark).await.items.len(), 1, "what is written later is seen");
}

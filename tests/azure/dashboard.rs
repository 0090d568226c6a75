//! The real binary's dashboard on real servers: a service is lost, and comes back.

use serde_json::{Value, json};

use crate::{services::Services, terminal::Dashboard};

fn blueprint() -> Value {
    json!({
        "id": "naps",
        "nodes": [
            { "id": "first", "uses": "sleep", "params": { "duration": 1500 } },
            { "id": "second", "uses": "sleep", "params": { "duration": 1500 } },
        ],
        "edges": [{ "source": "first", "target": "second" }],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_lost_and_comes_back() {
    let Some(services) = Services::own(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("blueprints")).unwrap();
    std::fs::write(folder.path().join("blueprints/naps.json"), blueprint().to_string()).unwrap();
    let variables = [
        ("AZURE_STORAGE_CONNECTION_STRING", services.text("/queue/connectionString")),
        ("COSMOS_DB_CONNECTION_STRING", services.text("/cosmos/connectionString")),
        ("REDIS_CONNECTION_STRING", services.text("/redis/url")),
    ];
    let program = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flowcraft-tui"));
        command.args(arguments).envs(variables).current_dir(folder.path());
        command.env("HOME", folder.path()).output().unwrap()
    };
    let provisioned = program(&["provision", "--yes"]);
    assert_eq!(provisioned.status.code(), Some(0), "{provisioned:?}");
    let mut dashboard = Dashboard::open(folder.path(), &[], &variables);
    dashboard.wait_for("No runs yet");
    let fault = services.fault(json!({ "service": "redis", "fault": "refuse" })).await;
    dashboard.wait_for("✗ locks");
    dashboard.wait_for("next try in");
    // What happened before is still there, and keys still work.
    dashboard.press("W");
    dashboard.wait_for("service away");
    dashboard.press("4");
    dashboard.wait_for("old");
    fault.lift().await;
    dashboard.wait_until_gone("next try in");
    dashboard.press("1");
    let started = program(&["start", "naps", "--run-id", "after"]);
    assert_eq!(started.status.code(), Some(0), "{started:?}");
    dashboard.wait_for("after");
    dashboard.press("2");
    dashboard.wait_for("✓ completed");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 0);
}

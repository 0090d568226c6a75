//! A Redis Cluster whose slots move, and one that loses a node.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use flowcraft_tui::cluster::{
    Acquired, CoordinationStore as _, Fault, Key, Ownership, RedisConnection,
    RedisCoordinationStore,
};

use super::{LONG, assert_failed, holder, node, relay::Relay, server::Server, store};

/// Three primaries, all slots given to them.
pub(crate) async fn cluster() -> Option<Vec<Server>> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let arguments = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
        nodes.push(Server::start(&arguments).await?);
    }
    for (node, slots) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        let _: String = node.tell(&format!("CLUSTER ADDSLOTSRANGE {slots}")).await;
        let _: String = nodes[0].tell(&format!("CLUSTER MEET 127.0.0.1 {}", node.port())).await;
    }
    for node in &nodes {
        for _ in 0..400 {
            let info: String = node.tell("CLUSTER INFO").await;
            let slots: Vec<redis::Value> = node.tell("CLUSTER SLOTS").await;
            if info.contains("cluster_state:ok") && slots.len() == 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Some(nodes)
}

/// The slot of a key, the node that has it and another.
async fn place(nodes: &[Server], key: &str) -> (u16, usize, usize) {
    let slot: u16 = nodes[0].tell(&format!("CLUSTER KEYSLOT {key}")).await;
    let from = usize::from(slot > 5460) + usize::from(slot > 10922);
    (slot, from, (from + 1) % 3)
}

#[tokio::test]
async fn a_slot_may_move_while_we_work() {
    let Some(nodes) = cluster().await else { return };
    let store = store(&nodes[0].url());
    let (key, ours) = (node("moved"), holder("w"));
    assert_eq!(store.acquire(&node("other"), &ours, LONG).await.unwrap(), Acquired::Yes);
    let (slot, from, to) = place(&nodes, key.as_str()).await;
    let id: String = nodes[to].tell("CLUSTER MYID").await;
    let old_id: String = nodes[from].tell("CLUSTER MYID").await;
    let _: String = nodes[to].tell(&format!("CLUSTER SETSLOT {slot} IMPORTING {old_id}")).await;
    let _: String = nodes[from].tell(&format!("CLUSTER SETSLOT {slot} MIGRATING {id}")).await;
    // The key is not at its old place, so that we are told to ask at the new one.
    assert_eq!(store.acquire(&key, &ours, LONG).await.unwrap(), Acquired::Yes);
    let at_new: u64 = nodes[to].tell(&format!("CLUSTER COUNTKEYSINSLOT {slot}")).await;
    assert_eq!(at_new, 1);
    for node in [to, from] {
        let _: String = nodes[node].tell(&format!("CLUSTER SETSLOT {slot} NODE {id}")).await;
    }
    assert_eq!(store.renew(&key, &ours, LONG).await.unwrap(), Ownership::Ours);
    assert_eq!(store.locks(10).await.unwrap().len(), 2);
    assert_eq!(store.release(&key, &ours).await.unwrap(), Ownership::Ours);
}

#[tokio::test]
async fn the_other_nodes_work_on_when_one_is_lost() {
    let Some(mut nodes) = cluster().await else { return };
    let store =
        store(&format!("redis://127.0.0.1:{},127.0.0.1:{}", nodes[0].port(), nodes[1].port()));
    let ours = holder("w");
    let keys: Vec<_> = (0..30).map(|number| node(&number.to_string())).collect();
    let mut lost = 0;
    for key in &keys {
        store.acquire(key, &ours, LONG).await.unwrap();
    }
    nodes[0].kill();
    for key in &keys {
        let gone = place(&nodes[1..], key.as_str()).await.1 == 0;
        let result = store.renew(key, &ours, LONG).await;
        if gone {
            lost += 1;
            assert_failed(result, &Fault::Unavailable, &[]);
        } else {
            assert_eq!(result.unwrap(), Ownership::Ours, "{key}");
        }
    }
    assert!(lost > 0 && lost < keys.len());
    nodes[0].run().await;
    super::works_again(&store).await;
}

#[tokio::test]
async fn a_cluster_may_be_insisted_on() {
    let Some(server) = Server::start(&[]).await else { return };
    let connection = RedisConnection::parse(&format!("{}?cluster=true", server.url())).unwrap();
    let store = RedisCoordinationStore::new(connection, None);
    assert_failed(store.get(&node("a")).await, &Fault::Refused, &["CLUSTER SLOTS", "disabled"]);
    let Some(nodes) = cluster().await else { return };
    let _: String = nodes[0].tell("ACL SETUSER blind on >sesame ~* +@all -cluster|slots").await;
    let text = format!("redis://blind:sesame@127.0.0.1:{}", nodes[0].port());
    let blind = super::store(&text);
    let mut refused = 0;
    for number in 0..9 {
        if let Err(error) = blind.get(&node(&number.to_string())).await {
            assert_eq!(error.fault, Fault::Refused, "{error}");
            assert!(error.to_string().contains("CLUSTER"), "{error}");
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn what_counts_is_not_done_again_on_a_cluster_either() {
    let Some(nodes) = cluster().await else { return };
    // The nodes are known by the addresses that they announce, so that one behind a relay says so.
    let relay = Relay::to(nodes[0].port()).await;
    let announce = format!("CONFIG SET cluster-announce-port {}", relay.port());
    let _: String = nodes[0].tell(&announce).await;
    let store = store(&relay.url());
    let mut key = None;
    for number in 0..100 {
        let counter = Key::fan_in(&"run".into(), &number.to_string().into());
        if place(&nodes, counter.as_str()).await.1 == 0 {
            key = Some(counter);
            break;
        }
    }
    let key = key.unwrap();
    assert_eq!(store.increment(&key, LONG).await.unwrap(), 1);
    relay.lose_next_answer();
    assert_failed(store.increment(&key, LONG).await, &Fault::Unavailable, &[]);
    assert!(relay.has_lost());
    super::works_again(&store).await;
    let mut count = store.increment(&key, LONG).await;
    for _ in 0..50 {
        if count.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        count = store.increment(&key, LONG).await;
    }
    assert!(count.unwrap() <= 3);
}

/// A certificate for the name `localhost` alone.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn nodes_named_by_address_have_the_certificate_of_the_host() {
    if crate::services::services().is_none() {
        return;
    }
    let folder = tempfile::TempDir::new().unwrap();
    certificate(folder.path());
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let tls_port = super::server::free_port().to_string();
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--cluster-announce-ip",
        "127.0.0.1",
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &cert,
        "--tls-cluster",
        "yes",
        "--tls-auth-clients",
        "no",
    ];
    let Some(server) = Server::start(&arguments).await else { return };
    let _: String = server.tell("CLUSTER ADDSLOTSRANGE 0 16383").await;
    let nodes: String = server.tell("CLUSTER NODES").await;
    assert!(nodes.contains("127.0.0.1:"), "{nodes}");
    let open = |host: &str| {
        let connection = RedisConnection::parse(&format!("rediss://{host}:{tls_port}")).unwrap();
        let pem = std::fs::read(&cert).unwrap();
        RedisCoordinationStore::new(connection.with_root_certificates(pem), None)
    };
    let store = open("localhost");
    super::works_again(&store).await;
    let taken = store.acquire(&node("a"), &holder("w"), LONG).await.unwrap();
    assert_eq!(taken, Acquired::Yes);
    assert_eq!(store.check().await.unwrap().primaries, Some(1));
    let by_address = open("127.0.0.1").get(&node("a")).await;
    assert_failed(by_address, &Fault::Refused, &["no TLS connection"]);
}

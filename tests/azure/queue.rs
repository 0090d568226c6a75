//! The job queue on a real queue server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use azure_core::{credentials::Secret, hmac::hmac_sha256, http::Url};
use azure_storage_queue::{QueueClient, models::QueueClientPeekMessagesOptions};
use flowcraft_tui::cluster::{
    Clock as _, Cluster, Fault, Job, JobQueue, Lane, Provisioned, StorageConnection, StorageQueue,
    SystemClock, Unreadable,
    contract::{Sleeping, Subject},
    memory_cluster,
};

use crate::services::{Services, services};

/// A queue of its own on the server, made but not filled; nothing if there is no server.
struct Place {
    name: String,
    queue: StorageQueue,
}

fn connection() -> Option<StorageConnection> {
    let text = services()?.text("/queue/connectionString");
    Some(StorageConnection::parse(text).unwrap())
}

fn fresh_name() -> String {
    format!("q{}", uuid::Uuid::new_v4().simple())
}

async fn place() -> Option<Place> {
    let name = fresh_name();
    let queue = StorageQueue::connect(&connection()?, &name).unwrap();
    let made = queue.create_missing().await.unwrap();
    let poison = format!("{name}-poison");
    assert_eq!(made, [(name.clone(), Provisioned::Created), (poison, Provisioned::Created)]);
    Some(Place { name, queue })
}

async fn setup() -> Option<Subject> {
    let clock = Arc::new(SystemClock);
    let queue = Arc::new(place().await?.queue);
    let cluster = Cluster { queue, clock: clock.clone(), ..memory_cluster(clock) };
    Some(Subject { cluster, time: Arc::new(Sleeping), keep: Box::new(()) })
}

flowcraft_tui::cluster_contract!(only queue: #[tokio::test(flavor = "multi_thread", worker_threads = 2)] setup);

/// A shared access signature of the account, made from its key.
fn signature(permissions: &str, expiry: &str) -> String {
    let services = services().unwrap();
    let account = services.text("/queue/account");
    let (version, protocols) = ("2021-12-02", "https,http");
    let signed =
        format!("{account}\n{permissions}\nq\nsco\n\n{expiry}\n\n{protocols}\n{version}\n\n");
    let key = Secret::new(services.text("/queue/key"));
    let mut url = Url::parse(services.text("/queue/endpoint")).unwrap();
    url.query_pairs_mut()
        .append_pair("sv", version)
        .append_pair("ss", "q")
        .append_pair("srt", "sco")
        .append_pair("sp", permissions)
        .append_pair("se", expiry)
        .append_pair("spr", protocols)
        .append_pair("sig", &hmac_sha256(&signed, &key).unwrap());
    url.query().unwrap().to_owned()
}

fn signed_connection(query: &str) -> StorageConnection {
    let endpoint = services().unwrap().text("/queue/endpoint");
    let text = format!("QueueEndpoint={endpoint};SharedAccessSignature={query}");
    StorageConnection::parse(&text).unwrap()
}

async fn send(queue: &StorageQueue, body: &str) {
    queue.send(Lane::Jobs, body.to_owned(), Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn bodies_survive_as_they_are() {
    let Some(Place { queue, .. }) = place().await else { return };
    let ampersands = "&".repeat(64 * 1024);
    for body in ["  spaces \t", "a\r\nb\rc\n", "<![CDATA[&]]>", ampersands.as_str(), "🦀\u{2028}"]
    {
        send(&queue, body).await;
        assert_eq!(queue.peek(Lane::Jobs, 1).await.unwrap()[0].body, body);
        let delivery =
            queue.receive(Lane::Jobs, 1, Duration::from_secs(30)).await.unwrap().remove(0);
        assert_eq!(delivery.body, body);
        let changed = format!("\n{}<", body.chars().next().unwrap());
        let receipt = queue
            .hide(Lane::Jobs, &delivery.receipt, changed.clone(), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(queue.peek(Lane::Jobs, 1).await.unwrap()[0].body, changed);
        queue.delete(Lane::Jobs, &receipt).await.unwrap();
    }
}

#[tokio::test]
async fn messages_never_expire() {
    let Some(Place { name, queue }) = place().await else { return };
    for (lane, name) in [(Lane::Jobs, name.clone()), (Lane::Poison, format!("{name}-poison"))] {
        queue.send(lane, "now".to_owned(), Duration::ZERO).await.unwrap();
        queue.send_all(lane, vec!["one".to_owned(), "two".to_owned()]).await.unwrap();
        let endpoint = services().unwrap().text("/queue/endpoint");
        let query = signature("r", "2040-01-01T00:00:00Z");
        let url = Url::parse(&format!("{endpoint}/{name}?{query}")).unwrap();
        let options =
            QueueClientPeekMessagesOptions { number_of_messages: Some(32), ..Default::default() };
        let client = QueueClient::new(url, None, None).unwrap();
        let messages =
            client.peek_messages(Some(options)).await.unwrap().into_model().unwrap().items.unwrap();
        let years: Vec<_> = messages.iter().map(|m| m.expiration_time.unwrap().year()).collect();
        assert_eq!(years, [9999; 3]);
    }
}

#[tokio::test]
async fn a_delay_beyond_what_the_service_takes_is_cut() {
    let Some(Place { queue, .. }) = place().await else { return };
    queue.send(Lane::Jobs, "much later".to_owned(), Duration::MAX).await.unwrap();
    assert_eq!(queue.peek(Lane::Jobs, 32).await.unwrap(), []);
    send(&queue, "now").await;
    let delivery = queue.receive(Lane::Jobs, 32, Duration::MAX).await.unwrap().remove(0);
    queue.renew(Lane::Jobs, &delivery.receipt, Duration::MAX).await.unwrap();
    assert_eq!(queue.receive(Lane::Jobs, 32, Duration::from_secs(1)).await.unwrap(), []);
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 2);
}

#[tokio::test]
async fn a_signature_does_for_everything_but_making_queues() {
    let Some(Place { name, queue }) = place().await else { return };
    let connection = signed_connection(&signature("raup", "2040-01-01T00:00:00Z"));
    assert_eq!(connection.access_name(), "shared access signature");
    let guest = StorageQueue::connect(&connection, &name).unwrap();
    send(&guest, "signed").await;
    assert_eq!(guest.depth(Lane::Jobs).await.unwrap().messages, 1);
    let delivery = guest.receive(Lane::Jobs, 1, Duration::from_secs(30)).await.unwrap().remove(0);
    assert_eq!(delivery.body, "signed");
    let receipt =
        guest.renew(Lane::Jobs, &delivery.receipt, Duration::from_secs(30)).await.unwrap();
    guest.delete(Lane::Jobs, &receipt).await.unwrap();
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 0);

    let made = guest.create_missing().await.unwrap();
    assert!(made.iter().all(|(_, done)| *done == Provisioned::Existing), "{made:?}");
    let elsewhere = StorageQueue::connect(&connection, &fresh_name()).unwrap();
    let error = elsewhere.create_missing().await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert!(error.to_string().contains("signature does not allow this"), "{error}");
}

#[tokio::test]
async fn a_signature_that_expires_meanwhile_is_named() {
    let Some(Place { name, .. }) = place().await else { return };
    let soon = (SystemClock.now() + Duration::from_secs(4)).to_string();
    let expiry = format!("{}Z", soon.split('.').next().unwrap());
    let connection = signed_connection(&signature("raup", &expiry));
    let guest = StorageQueue::connect(&connection, &name).unwrap();
    send(&guest, "in time").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let error = guest.depth(Lane::Jobs).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert!(error.to_string().contains("the shared access signature expired at"), "{error}");
    let query = signature("raup", "2020-01-01T00:00:00Z");
    let text = format!("{}?{query}", services().unwrap().text("/queue/endpoint"));
    assert!(StorageConnection::parse(&text).unwrap_err().to_string().contains("expired at"));
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_shown() {
    let Some(Place { name, .. }) = place().await else { return };
    let services = services().unwrap();
    let wrong = "d3Jvbmcga2V5IHdyb25nIGtleQ==";
    let connection =
        services.text("/queue/connectionString").replace(services.text("/queue/key"), wrong);
    let connection = StorageConnection::parse(&connection).unwrap();
    let queue = StorageQueue::connect(&connection, &name).unwrap();
    let error = queue.receive(Lane::Jobs, 1, Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Refused, "{error}");
    assert!(error.to_string().contains("does not accept the key"), "{error}");
    assert!(!format!("{error:?}").contains("wrong key") && !format!("{error:?}").contains(wrong));
}

#[tokio::test]
async fn a_missing_queue_is_named_and_created_once() {
    let Some(connection) = connection() else { return };
    let name = fresh_name();
    let queue = StorageQueue::connect(&connection, &name).unwrap();
    for error in [
        queue.send(Lane::Jobs, "x".to_owned(), Duration::ZERO).await.unwrap_err(),
        queue.receive(Lane::Jobs, 1, Duration::from_secs(30)).await.unwrap_err(),
        queue.peek(Lane::Jobs, 1).await.unwrap_err(),
        queue.depth(Lane::Jobs).await.unwrap_err(),
    ] {
        assert_eq!(error.fault, Fault::Refused, "{error}");
        let said = error.to_string();
        assert!(said.contains(&name) && said.contains("flowcraft-tui provision"), "{said}");
    }
    let checks = queue.check().await;
    assert!(checks.iter().all(|check| check.health.as_ref().unwrap().is_none()), "{checks:?}");
    // Of two who provision at once one creates.
    let twin = StorageQueue::connect(&connection, &name).unwrap();
    let (first, second) = tokio::join!(queue.create_missing(), twin.create_missing());
    let mut done: Vec<_> = first.unwrap();
    done.extend(second.unwrap());
    let created = done.iter().filter(|(_, done)| *done == Provisioned::Created).count();
    assert_eq!((done.len(), created), (4, 2), "{done:?}");
}

#[tokio::test]
async fn a_check_tells_how_the_queues_are() {
    let Some(Place { name, queue }) = place().await else { return };
    let job = Job::new("r".into(), "b".into(), "n".into());
    for body in [&job.encode(), r#"{"runId":"1"}"#, "plain text", "aGVsbG8="] {
        send(&queue, body).await;
    }
    queue.send(Lane::Jobs, "hidden".to_owned(), Duration::from_secs(600)).await.unwrap();
    let checks = queue.check().await;
    let found: Vec<_> = checks.iter().map(|check| (check.lane, check.name.clone())).collect();
    assert_eq!(found, [(Lane::Jobs, name.clone()), (Lane::Poison, format!("{name}-poison"))]);
    let jobs = checks[0].health.clone().unwrap().unwrap();
    assert_eq!((jobs.messages, jobs.looked_at, jobs.unreadable), (5, 4, 2));
    assert!(matches!(jobs.example, Some(Unreadable::Text | Unreadable::EncodedText)));
    assert!(jobs.latency < Duration::from_secs(10));
    assert!(jobs.clock_ahead.unwrap().abs() < 5000, "{jobs:?}");
    let poison = checks[1].health.clone().unwrap().unwrap();
    assert_eq!((poison.messages, poison.looked_at, poison.example), (0, 0, None));
}

#[tokio::test]
async fn a_lost_receipt_is_told_from_other_errors() {
    let Some(Place { queue, .. }) = place().await else { return };
    send(&queue, "x").await;
    let receive = async || {
        let received = queue.receive(Lane::Jobs, 1, Duration::from_secs(1)).await.unwrap();
        received.into_iter().next().unwrap().receipt
    };
    let first = receive().await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let second = receive().await;
    for (receipt, what) in [(&first, "delete message"), (&first, "renew message")] {
        let error = match what {
            "delete message" => queue.delete(Lane::Jobs, receipt).await.unwrap_err(),
            _ => queue.renew(Lane::Jobs, receipt, Duration::from_secs(9)).await.unwrap_err(),
        };
        assert_eq!(error.fault, Fault::ReceiptLost, "{error}");
        assert!(
            error.to_string().contains(what) && error.to_string().contains(&receipt.message_id)
        );
    }
    queue.delete(Lane::Jobs, &second).await.unwrap();
}

/// Faults that only requests for one queue meet.
struct Faults {
    services: &'static Services,
    queue: String,
}

impl Faults {
    /// Spoils the next request.
    async fn once(&self, fault: &str) -> crate::services::Fault<'static> {
        let fault: serde_json::Value = serde_json::from_str(fault).unwrap();
        let matching = serde_json::json!({"pathIncludes": self.queue});
        let rule = serde_json::json!({
            "service": "queue", "match": matching, "fault": fault, "count": 1,
        });
        self.services.fault(rule).await
    }
}

#[tokio::test]
async fn illness_of_the_service_is_told_apart() {
    let Some(Place { name, queue }) = place().await else { return };
    let faults = Faults { services: services().unwrap(), queue: name };
    let queue = queue.with_patience(Duration::from_secs(1));
    let asked = |seconds| Fault::Throttled { retry_after: Some(Duration::from_secs(seconds)) };
    for (fault, expected, part) in [
        (r#"{"status":503}"#, Fault::Throttled { retry_after: None }, "503"),
        (r#"{"status":503,"headers":{"retry-after":"7"}}"#, asked(7), "503"),
        (r#"{"status":429,"headers":{"retry-after":"3"}}"#, asked(3), "429"),
        (r#"{"status":500}"#, Fault::Unavailable, "500"),
        (r#""reset""#, Fault::Unavailable, "broke off"),
        (r#""timeout""#, Fault::Unavailable, "did not answer within 1s"),
        (r#"{"delayMs":3000}"#, Fault::Unavailable, "did not answer within 1s"),
    ] {
        let once = faults.once(fault).await;
        let asked = Instant::now();
        let error = queue.receive(Lane::Jobs, 1, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.fault, expected, "{fault}: {error}");
        assert!(error.to_string().contains(part), "{fault}: {error}");
        assert!(asked.elapsed() < Duration::from_millis(2500), "{fault}: {:?}", asked.elapsed());
        // The fault was for one request: had the call been repeated, it would have succeeded.
        queue.receive(Lane::Jobs, 1, Duration::from_secs(1)).await.unwrap();
        once.lift().await;
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_open_whether_it_happened() {
    let Some(Place { name, queue }) = place().await else { return };
    let faults = Faults { services: services().unwrap(), queue: name };
    faults.once(r#""reset-after""#).await;
    let error = queue.send(Lane::Jobs, "sent".to_owned(), Duration::ZERO).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 1, "it was sent, and once");

    let receipt =
        queue.receive(Lane::Jobs, 1, Duration::from_secs(60)).await.unwrap().remove(0).receipt;
    faults.once(r#""reset-after""#).await;
    let error = queue.renew(Lane::Jobs, &receipt, Duration::from_secs(60)).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    let error = queue.delete(Lane::Jobs, &receipt).await.unwrap_err();
    assert_eq!(error.fault, Fault::ReceiptLost, "{error}");

    send(&queue, "received by nobody").await;
    faults.once(r#""reset-after""#).await;
    let error = queue.receive(Lane::Jobs, 1, Duration::from_secs(60)).await.unwrap_err();
    assert!(error.may_have_happened(), "{error}");
    assert_eq!(queue.peek(Lane::Jobs, 32).await.unwrap(), [], "it is hidden, and comes back");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    if services().is_none() {
        return;
    }
    // A port that was free a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for (host, part) in [
        (address.to_string(), format!("{address} can't be reached")),
        ("no-such-host.invalid".to_owned(), "no-such-host.invalid can't be found".to_owned()),
    ] {
        let scheme = if host.starts_with("127.") { "http" } else { "https" };
        let text =
            format!("AccountName=shop;AccountKey=d3Jvbmcga2V5;QueueEndpoint={scheme}://{host}");
        let connection = StorageConnection::parse(&text).unwrap();
        let queue = StorageQueue::connect(&connection, "jobs").unwrap();
        let error = queue.depth(Lane::Jobs).await.unwrap_err();
        assert_eq!(error.fault, Fault::Unavailable, "{error}");
        assert!(error.to_string().contains(&part), "{error}");
    }
}

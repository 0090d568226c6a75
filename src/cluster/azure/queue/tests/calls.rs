//! What goes over the wire, seen from where the network would be.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport, headers::Headers},
    time::OffsetDateTime,
};

use super::{with_entra, with_key, with_signature};
use crate::cluster::{
    Fault, JobQueue as _, Lane, Receipt,
    azure::queue::{StorageConnection, StorageQueue},
};

/// What the network does with a request.
#[derive(Debug, Clone)]
enum Outcome {
    Answers(u16, &'static str),
    Breaks(ErrorKind),
    IsSilent,
}

/// A network that does as it is told, and otherwise answers with success; it notes what was sent.
#[derive(Debug, Default)]
struct Network {
    outcomes: Mutex<VecDeque<Outcome>>,
    sent: Mutex<Vec<Request>>,
}

impl Network {
    fn will(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push_back(outcome);
    }

    /// What was sent since the last look, as the method and the URL.
    fn sent(&self) -> Vec<String> {
        let requests = std::mem::take(&mut *self.sent.lock().unwrap());
        requests.iter().map(|r| format!("{} {}", r.method(), r.url())).collect()
    }
}

#[async_trait]
impl HttpClient for Network {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.sent.lock().unwrap().push(request.clone());
        let outcome = self.outcomes.lock().unwrap().pop_front();
        let (status, body) = match outcome {
            Some(Outcome::Answers(status, body)) => (status, body),
            Some(Outcome::Breaks(kind)) => {
                return Err(azure_core::Error::with_message(kind, "https://x/?sig=c2VjcmV0"));
            }
            Some(Outcome::IsSilent) => std::future::pending().await,
            None => match request.method().as_str() {
                "GET" => (200, "<QueueMessagesList/>"),
                "POST" => (201, ""),
                _ => (204, ""),
            },
        };
        let mut headers = Headers::new();
        headers.insert("x-ms-popreceipt", "next");
        headers.insert("x-ms-approximate-messages-count", "0");
        headers.insert("date", "Fri, 09 Oct 2009 21:04:30 GMT");
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(status), headers, body))
    }
}

fn queue_over(connection: &StorageConnection) -> (StorageQueue, Arc<Network>) {
    let network = Arc::new(Network::default());
    let transport = Transport::new(network.clone());
    let credential: Arc<dyn TokenCredential> = Arc::new(Badge);
    let credential = connection.access_name().starts_with("Microsoft").then_some(&credential);
    let queue = StorageQueue::over(connection, "jobs", credential, &transport).unwrap();
    (queue, network)
}

/// A credential that gives the same token each time.
#[derive(Debug)]
struct Badge;

#[async_trait]
impl TokenCredential for Badge {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let expires = OffsetDateTime::now_utc() + Duration::from_secs(3600);
        Ok(AccessToken::new(format!("token for {}", scopes.join(" ")), expires))
    }
}

fn receipt() -> Receipt {
    Receipt { message_id: "5974b586".to_owned(), pop_receipt: "a+b/==".to_owned() }
}

#[tokio::test]
async fn every_call_is_one_request() {
    let (queue, network) = queue_over(&with_key());
    let base = "https://shop.queue.core.windows.net/jobs";
    let minute = Duration::from_secs(60);

    queue.send(Lane::Jobs, "x".to_owned(), minute).await.unwrap();
    assert_eq!(
        network.sent(),
        [format!("POST {base}/messages?messagettl=-1&visibilitytimeout=60")]
    );
    queue.send(Lane::Poison, "x".to_owned(), Duration::MAX).await.unwrap();
    assert_eq!(
        network.sent(),
        [format!("POST {base}-poison/messages?messagettl=-1&visibilitytimeout=604800")]
    );
    queue.receive(Lane::Jobs, 99, Duration::ZERO).await.unwrap();
    assert_eq!(
        network.sent(),
        [format!("GET {base}/messages?numofmessages=32&visibilitytimeout=1")]
    );
    queue.peek(Lane::Jobs, 99).await.unwrap();
    assert_eq!(network.sent(), [format!("GET {base}/messages?numofmessages=32&peekonly=true")]);
    queue.delete(Lane::Jobs, &receipt()).await.unwrap();
    assert_eq!(
        network.sent(),
        [format!("DELETE {base}/messages/5974b586?popreceipt=a%2Bb%2F%3D%3D")]
    );
    let renewed = queue.renew(Lane::Jobs, &receipt(), minute).await.unwrap();
    assert_eq!(renewed.pop_receipt, "next");
    queue.hide(Lane::Jobs, &receipt(), "y".to_owned(), Duration::ZERO).await.unwrap();
    let update = format!("PUT {base}/messages/5974b586?popreceipt=a%2Bb%2F%3D%3D");
    assert_eq!(
        network.sent(),
        [format!("{update}&visibilitytimeout=60"), format!("{update}&visibilitytimeout=0")]
    );
    // An empty queue has no oldest message to look for.
    assert_eq!(queue.depth(Lane::Jobs).await.unwrap().messages, 0);
    assert_eq!(network.sent(), [format!("GET {base}?comp=metadata")]);

    queue.receive(Lane::Jobs, 0, minute).await.unwrap();
    queue.peek(Lane::Jobs, 0).await.unwrap();
    queue.send_all(Lane::Jobs, Vec::new()).await.unwrap();
    assert_eq!(network.sent(), [""; 0]);
}

#[tokio::test]
async fn a_call_that_fails_is_not_repeated() {
    for outcome in [
        Outcome::Answers(500, ""),
        Outcome::Answers(503, ""),
        Outcome::Answers(429, ""),
        Outcome::Breaks(ErrorKind::Io),
        Outcome::Breaks(ErrorKind::Connection),
    ] {
        let (queue, network) = queue_over(&with_signature());
        network.will(outcome.clone());
        let error = queue.delete(Lane::Jobs, &receipt()).await.unwrap_err();
        assert!(error.is_transient(), "{outcome:?}: {error}");
        assert!(!error.to_string().contains("sig="), "{error}");
        assert_eq!(network.sent().len(), 1, "{outcome:?}");
        network.will(outcome);
        queue.receive(Lane::Jobs, 32, Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(network.sent().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_ends() {
    let (queue, network) = queue_over(&with_key());
    network.will(Outcome::IsSilent);
    let error = queue.receive(Lane::Jobs, 32, Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Unavailable);
    assert_eq!(
        error.to_string(),
        "queue: can't receive from queue \"jobs\": shop.queue.core.windows.net did not answer \
         within 30s"
    );
    let queue = queue.with_patience(Duration::from_millis(50));
    network.will(Outcome::IsSilent);
    let error = queue.depth(Lane::Jobs).await.unwrap_err();
    assert!(error.to_string().ends_with("within 50ms"), "{error}");
}

#[tokio::test]
async fn a_request_carries_its_way_in_and_our_name() {
    for (connection, way_in) in [
        (with_key(), "SharedKey shop:"),
        (with_entra(), "Bearer token for https://storage.azure.com/.default"),
    ] {
        let (queue, network) = queue_over(&connection);
        queue.send(Lane::Jobs, "x".to_owned(), Duration::ZERO).await.unwrap();
        let request = network.sent.lock().unwrap().remove(0);
        let header = |name: &'static str| request.headers().get_str(&name.into()).unwrap_or("");
        assert!(header("authorization").starts_with(way_in), "{}", header("authorization"));
        assert!(header("user-agent").starts_with("flowcraft-tui "), "{}", header("user-agent"));
    }
    let (queue, network) = queue_over(&with_signature());
    queue.send(Lane::Jobs, "x".to_owned(), Duration::ZERO).await.unwrap();
    let request = network.sent.lock().unwrap().remove(0);
    assert!(request.headers().get_optional_str(&"authorization".into()).is_none());
    assert!(request.url().as_str().contains("sig=c2VjcmV0IHNpZ25hdHVyZQ%3D%3D"));
}

#[tokio::test]
async fn what_can_not_be_a_receipt_is_lost_without_a_request() {
    let (queue, network) = queue_over(&with_key());
    for (message_id, pop_receipt) in [("", "r"), ("5974b586", "")] {
        let receipt =
            Receipt { message_id: message_id.to_owned(), pop_receipt: pop_receipt.to_owned() };
        let renewed = queue.renew(Lane::Jobs, &receipt, Duration::ZERO).await;
        assert_eq!(renewed.unwrap_err().fault, Fault::ReceiptLost);
        let deleted = queue.delete(Lane::Jobs, &receipt).await;
        assert_eq!(deleted.unwrap_err().fault, Fault::ReceiptLost);
    }
    assert_eq!(network.sent(), [""; 0]);
}

#[tokio::test]
async fn of_many_messages_none_is_sent_if_one_can_not_be() {
    let (queue, network) = queue_over(&with_key());
    let bodies = vec!["x".to_owned(), "x".repeat(64 * 1024 + 1)];
    let error = queue.send_all(Lane::Jobs, bodies).await.unwrap_err();
    assert!(matches!(error.fault, Fault::TooLarge { bytes: 65_537, limit: 65_536 }), "{error}");
    let body = "x".repeat(64 * 1024 + 1);
    queue.hide(Lane::Jobs, &receipt(), body, Duration::ZERO).await.unwrap_err();
    assert_eq!(network.sent(), [""; 0]);
}

#[test]
fn only_a_name_that_leaves_room_for_the_poison_queue_is_taken() {
    let longest = "q".repeat(56);
    for name in ["abc", "flowcraft-jobs", "0-1", longest.as_str()] {
        StorageQueue::connect(&with_key(), name).unwrap();
    }
    let longer = "q".repeat(57);
    for name in ["", "ab", "Jobs", "a--b", "-ab", "ab-", "a/b", "jöbs", longer.as_str()] {
        let error = StorageQueue::connect(&with_key(), name).unwrap_err();
        assert_eq!(error.fault, Fault::Refused, "{name:?}");
    }
}

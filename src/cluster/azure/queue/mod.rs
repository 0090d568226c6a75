//! Jobs in Azure Storage Queues.

mod connection;
mod fault;
mod messages;
mod provision;
mod shared_key;
mod signature;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    http::{
        ClientOptions, RetryOptions, Transport, UserAgentOptions,
        headers::{HeaderName, Headers},
    },
};
use azure_storage_queue::{
    QueueClient, QueueClientOptions,
    models::{
        QueueClientPeekMessagesOptions, QueueClientReceiveMessagesOptions,
        QueueClientSendMessageOptions, QueueClientUpdateMessageOptions,
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use self::{
    connection::Access,
    fault::{Called, Problem, receipt_lost},
    messages::{garbled, seconds},
    shared_key::SharedKey,
};
pub use self::{
    connection::StorageConnection,
    provision::{QueueCheck, QueueHealth, Unreadable},
};
use super::{
    identity,
    transport::{Distance, counted_transport},
};
use crate::cluster::{
    Clock as _, ClusterError, Delivery, Depth, Fault, JobQueue, Lane, MAX_RECEIVE, Peeked, Receipt,
    Result, Service, SystemClock,
};

/// What follows the queue's name in that of the poison queue.
const POISON: &str = "-poison";

/// How we are called in the service's logs.
const APPLICATION: &str = "flowcraft-tui";

/// How long a call may take: the service itself gives up after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many messages are on their way at once.
const SENT_AT_ONCE: usize = 16;

/// A time to live that never ends. Without it messages vanish after seven days.
const FOREVER: i32 = -1;

/// The job queue on Azure Storage Queue: a queue, and a poison queue beside it.
///
/// Every call but [`JobQueue::depth`], which is two unless the queue is empty, is one request,
/// made once: who called tries again, and shows that a service is ill.
pub struct StorageQueue {
    connection: StorageConnection,
    jobs: Queue,
    poison: Queue,
    patience: Duration,
}

/// One of the two queues.
struct Queue {
    name: String,
    client: QueueClient,
}

impl StorageQueue {
    /// The queue of this name and its poison queue. Nothing is sent yet.
    pub fn connect(connection: &StorageConnection, name: &str) -> Result<Self> {
        let distance = if connection.is_near() { Distance::Near } else { Distance::Far };
        let credential = match connection.access() {
            Access::Entra => Some(identity::credential()),
            Access::Key(_) | Access::Signature(_) => None,
        };
        let transport = counted_transport(distance, Service::Queue)
            .map_err(|_| refused(name, "the HTTP client can't be made: check its certificates"))?;
        Self::over(connection, name, credential.as_ref(), &transport)
    }

    /// The same over a given network.
    pub(super) fn over(
        connection: &StorageConnection,
        name: &str,
        credential: Option<&Arc<dyn TokenCredential>>,
        transport: &Transport,
    ) -> Result<Self> {
        if !is_queue_name(name) {
            return Err(refused(
                name,
                "that is no queue's name: 3 to 56 lower-case letters, digits and single hyphens, \
                 the first and last no hyphen",
            ));
        }
        let queue = |name: String| -> Result<Queue> {
            let mut options = ClientOptions {
                // Its own retries would hide an illness for a minute, and repeat a call whose
                // receipt the first try has used up.
                retry: RetryOptions::none(),
                transport: Some(transport.clone()),
                user_agent: UserAgentOptions { application_id: Some(APPLICATION.to_owned()) },
                ..ClientOptions::default()
            };
            if let Access::Key(key) = connection.access() {
                let policy = SharedKey::new(connection.account(), key.clone());
                options.per_try_policies.push(Arc::new(policy));
            }
            let options =
                QueueClientOptions { client_options: options, ..QueueClientOptions::default() };
            let url = connection.queue_url(&name);
            let client = QueueClient::new(url, credential.cloned(), Some(options))
                .map_err(|_| refused(&name, "the Azure SDK does not take its address"))?;
            Ok(Queue { name, client })
        };
        Ok(Self {
            connection: connection.clone(),
            jobs: queue(name.to_owned())?,
            poison: queue(format!("{name}{POISON}"))?,
            patience: PATIENCE,
        })
    }

    /// The same with another limit to how long a call may take.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where it is, fit to be shown.
    pub fn connection(&self) -> &StorageConnection {
        &self.connection
    }

    fn queue(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Jobs => &self.jobs,
            Lane::Poison => &self.poison,
        }
    }

    fn called<'a>(&'a self, queue: &'a Queue) -> Called<'a> {
        Called { connection: &self.connection, queue: &queue.name, now: SystemClock.now() }
    }

    /// Waits for a call's answer, though not for ever.
    async fn call<T>(
        &self,
        queue: &Queue,
        call: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, Problem> {
        match tokio::time::timeout(self.patience, call).await {
            Ok(answer) => answer.map_err(|error| self.called(queue).problem(&error)),
            Err(_) => Err(self.called(queue).timed_out(self.patience)),
        }
    }

    /// Sends a message that was checked.
    async fn put(&self, queue: &Queue, body: String, delay: Duration) -> Result<(), Problem> {
        let sending = async {
            let options = QueueClientSendMessageOptions {
                message_time_to_live: Some(FOREVER),
                visibility_timeout: Some(seconds(delay)),
                ..QueueClientSendMessageOptions::default()
            };
            queue.client.send_message(messages::content(body)?, Some(options)).await
        };
        // What it answers is not needed, so it can't fail for being odd.
        self.call(queue, sending).await.map(drop)
    }

    /// Changes a received message, and gives its new receipt.
    async fn update(
        &self,
        queue: &Queue,
        receipt: &Receipt,
        visibility: Duration,
        body: Option<String>,
    ) -> Result<Receipt, Problem> {
        if is_void(receipt) {
            return Err(receipt_lost());
        }
        if let Some(body) = &body {
            messages::check(body)?;
        }
        let updating = async {
            let options = QueueClientUpdateMessageOptions {
                queue_message: body.map(messages::content).transpose()?,
                ..QueueClientUpdateMessageOptions::default()
            };
            let Receipt { message_id, pop_receipt } = receipt;
            let visibility = seconds(visibility);
            queue.client.update_message(message_id, pop_receipt, visibility, Some(options)).await
        };
        let answer = self.call(queue, updating).await?;
        let pop_receipt = pop_receipt(answer.headers()).ok_or_else(garbled)?;
        Ok(Receipt { message_id: receipt.message_id.clone(), pop_receipt })
    }

    /// Looks at up to `max` messages; also tells the headers of the answer.
    async fn glimpse(&self, queue: &Queue, max: usize) -> Result<(Vec<Peeked>, Headers), Problem> {
        let Some(number) = messages::number(max) else { return Ok((Vec::new(), Headers::new())) };
        let options = QueueClientPeekMessagesOptions {
            number_of_messages: Some(number),
            ..QueueClientPeekMessagesOptions::default()
        };
        let answer = self.call(queue, queue.client.peek_messages(Some(options))).await?;
        let (_, headers, body) = answer.deconstruct();
        Ok((messages::peeked(&body)?, headers))
    }

    async fn measure(&self, queue: &Queue) -> Result<Depth, Problem> {
        let messages =
            messages::count(&self.call(queue, queue.client.get_properties(None)).await?)?;
        // The count is never below the true one.
        if messages == 0 {
            return Ok(Depth::default());
        }
        // The front is what has been visible longest, not what was sent first: look at many.
        let (front, _) = self.glimpse(queue, MAX_RECEIVE).await?;
        let oldest = front.iter().map(|message| message.inserted_at).min();
        Ok(Depth { messages, oldest })
    }
}

#[async_trait]
impl JobQueue for StorageQueue {
    fn name(&self) -> &str {
        &self.jobs.name
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let queue = self.queue(lane);
        let doing = |problem: Problem| problem.of(format!("send to {queue}"));
        messages::check(&body).map_err(doing)?;
        self.put(queue, body, delay).await.map_err(doing)
    }

    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        let queue = self.queue(lane);
        let number = bodies.len();
        let doing = |problem: Problem| problem.of(format!("send {number} messages to {queue}"));
        // Before the first is sent: none of them shall be if one can't.
        bodies.iter().try_for_each(|body| messages::check(body)).map_err(doing)?;
        stream::iter(bodies)
            .map(|body| self.put(queue, body, Duration::ZERO))
            .buffer_unordered(SENT_AT_ONCE)
            .try_collect::<()>()
            .await
            .map_err(doing)
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        let queue = self.queue(lane);
        let Some(number) = messages::number(max) else { return Ok(Vec::new()) };
        let doing = |problem: Problem| problem.of(format!("receive from {queue}"));
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(number),
            // The service refuses to hide what it hands out for no time at all.
            visibility_timeout: Some(seconds(visibility).max(1)),
            ..QueueClientReceiveMessagesOptions::default()
        };
        let receiving = queue.client.receive_messages(Some(options));
        let answer = self.call(queue, receiving).await.map_err(doing)?;
        messages::deliveries(answer.body()).map_err(doing)
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        let queue = self.queue(lane);
        self.update(queue, receipt, visibility, None)
            .await
            .map_err(|problem| problem.of(doing("renew", receipt, queue)))
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        let queue = self.queue(lane);
        self.update(queue, receipt, visibility, Some(body))
            .await
            .map_err(|problem| problem.of(doing("hide", receipt, queue)))
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        let queue = self.queue(lane);
        let doing = |problem: Problem| problem.of(doing("delete", receipt, queue));
        if is_void(receipt) {
            return Err(doing(receipt_lost()));
        }
        let Receipt { message_id, pop_receipt } = receipt;
        let deleting = queue.client.delete_message(message_id, pop_receipt, None);
        self.call(queue, deleting).await.map(drop).map_err(doing)
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        let queue = self.queue(lane);
        let peeked = self.glimpse(queue, max).await;
        peeked
            .map(|(messages, _)| messages)
            .map_err(|problem| problem.of(format!("look into {queue}")))
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        let queue = self.queue(lane);
        self.measure(queue).await.map_err(|problem| problem.of(format!("tell how full {queue} is")))
    }
}

impl fmt::Debug for StorageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageQueue")
            .field("connection", &self.connection)
            .field("name", &self.jobs.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "queue {:?}", self.name)
    }
}

fn doing(what: &str, receipt: &Receipt, queue: &Queue) -> String {
    format!("{what} message {} in {queue}", receipt.message_id)
}

fn refused(name: &str, detail: &str) -> ClusterError {
    ClusterError::new(Service::Queue, format!("use queue {name:?}"), Fault::Refused, detail)
}

/// Whether nobody can have given this receipt: the service would complain of the request's form.
fn is_void(receipt: &Receipt) -> bool {
    receipt.message_id.is_empty() || receipt.pop_receipt.is_empty()
}

/// The pop receipt that follows an update.
fn pop_receipt(headers: &Headers) -> Option<String> {
    headers.get_optional_string(&HeaderName::from_static("x-ms-popreceipt"))
}

/// Whether this is a queue's name that leaves room for the poison queue's.
fn is_queue_name(name: &str) -> bool {
    (3..=63 - POISON.len()).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

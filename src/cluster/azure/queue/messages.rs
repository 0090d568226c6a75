//! Messages as the service writes them.

use std::time::Duration;

use azure_core::{
    http::{NoFormat, RequestContent, Response, XmlFormat},
    time::OffsetDateTime,
    xml::{from_xml, to_xml},
};
use azure_storage_queue::models::{
    PeekedMessage, PeekedMessages, QueueClientGetPropertiesResult,
    QueueClientGetPropertiesResultHeaders as _, QueueMessage, ReceivedMessage, ReceivedMessages,
};
use serde::de::DeserializeOwned;

use super::fault::Problem;
use crate::{
    cluster::{Delivery, Fault, MAX_RECEIVE, MAX_VISIBILITY, Peeked, Receipt},
    engine::Timestamp,
};

/// The most a message may have, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Says why a body can't be a message, if it can't.
pub(super) fn check(body: &str) -> Result<(), Problem> {
    if body.len() > BODY_LIMIT {
        let fault = Fault::TooLarge { bytes: body.len(), limit: BODY_LIMIT };
        return Err(Problem::new(
            fault,
            format!("the message has {} bytes, the most is {BODY_LIMIT}", body.len()),
        ));
    }
    match body.chars().find(|c| !is_xml(*c)) {
        Some(c) => Err(Problem::new(
            Fault::Refused,
            format!(
                "the message has the character {}, which a storage queue can't carry: send it in \
                 base64",
                c.escape_unicode()
            ),
        )),
        None => Ok(()),
    }
}

/// Whether a character may be in an XML document, which a message is sent in.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A message as it is sent.
pub(super) fn content(
    body: String,
) -> Result<RequestContent<QueueMessage, XmlFormat>, azure_core::Error> {
    let xml = to_xml(&QueueMessage { message_text: Some(body) })?;
    // Readers of XML take a bare carriage return for a line feed.
    let xml = match std::str::from_utf8(&xml) {
        Ok(text) if text.contains('\r') => text.replace('\r', "&#13;").into(),
        _ => xml,
    };
    Ok(xml.into())
}

/// The messages in an answer to a receive.
pub(super) fn deliveries(answer: &[u8]) -> Result<Vec<Delivery>, Problem> {
    let list: ReceivedMessages = read(answer)?;
    list.items.unwrap_or_default().into_iter().map(delivery).collect()
}

/// The messages in an answer to a peek.
pub(super) fn peeked(answer: &[u8]) -> Result<Vec<Peeked>, Problem> {
    let list: PeekedMessages = read(answer)?;
    list.items.unwrap_or_default().into_iter().map(glimpse).collect()
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Problem> {
    // Other XML, and HTML, would count as a list of nothing.
    const ROOT: &[u8] = b"<QueueMessagesList";
    if !answer.windows(ROOT.len()).any(|part| part == ROOT) {
        return Err(garbled());
    }
    from_xml(answer).map_err(|_| garbled())
}

fn delivery(message: ReceivedMessage) -> Result<Delivery, Problem> {
    Ok(Delivery {
        receipt: Receipt {
            message_id: message.message_id.ok_or_else(garbled)?,
            pop_receipt: message.pop_receipt.ok_or_else(garbled)?,
        },
        body: message.message_text.unwrap_or_default(),
        dequeue_count: dequeues(message.dequeue_count),
        inserted_at: timestamp(message.insertion_time.ok_or_else(garbled)?),
    })
}

fn glimpse(message: PeekedMessage) -> Result<Peeked, Problem> {
    Ok(Peeked {
        message_id: message.message_id.ok_or_else(garbled)?,
        body: message.message_text.unwrap_or_default(),
        dequeue_count: dequeues(message.dequeue_count),
        inserted_at: timestamp(message.insertion_time.ok_or_else(garbled)?),
    })
}

/// The answer is not one of this service. What it holds is not repeated: it may be a secret.
pub(super) fn garbled() -> Problem {
    Problem::new(
        Fault::Corrupt,
        "the answer is not what a queue service says; check that the endpoint is one",
    )
}

/// The number of messages in a queue.
pub(super) fn count(
    properties: &Response<QueueClientGetPropertiesResult, NoFormat>,
) -> Result<u64, Problem> {
    let count = properties.approximate_messages_count().ok().flatten();
    count.and_then(|count| u64::try_from(count).ok()).ok_or_else(garbled)
}

fn dequeues(count: Option<i64>) -> u32 {
    u32::try_from(count.unwrap_or_default().max(0)).unwrap_or(u32::MAX)
}

/// A time of the service, which has whole seconds.
pub(super) fn timestamp(time: OffsetDateTime) -> Timestamp {
    Timestamp::from_seconds(time.unix_timestamp())
}

/// How many messages to ask for; nothing if none.
pub(super) fn number(max: usize) -> Option<i32> {
    i32::try_from(max.min(MAX_RECEIVE)).ok().filter(|number| *number > 0)
}

/// A visibility timeout in the service's whole seconds, never shorter than asked for.
pub(super) fn seconds(duration: Duration) -> i32 {
    let duration = duration.min(MAX_VISIBILITY);
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    // Seven days are far from the limits of the type.
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

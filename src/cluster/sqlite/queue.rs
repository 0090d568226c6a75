//! The job queue in SQLite.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{fault::Trouble, store::Store, writer::Durability};
use crate::{
    cluster::{
        ClusterError, Delivery, Depth, Fault, JobQueue, Lane, MAX_RECEIVE, MAX_VISIBILITY, Peeked,
        Receipt, Result, Service,
    },
    engine::Timestamp,
};

const SEND: &str = "INSERT INTO messages (lane, visible_at, inserted_at, dequeued, body) \
                    VALUES (?1, ?2, ?3, 0, ?4)";

const RECEIVE: &str = "\
UPDATE messages SET visible_at = ?1, dequeued = dequeued + 1, receipt = random() \
WHERE id IN (SELECT id FROM messages WHERE lane = ?2 AND visible_at <= ?3 \
             ORDER BY visible_at, inserted_at LIMIT ?4) \
RETURNING id, receipt, body, dequeued, inserted_at";

const RENEW: &str = "UPDATE messages SET visible_at = ?1, receipt = random() \
                     WHERE id = ?2 AND lane = ?3 AND receipt = ?4 RETURNING receipt";

const HIDE: &str = "UPDATE messages SET visible_at = ?1, receipt = random(), body = ?5 \
                    WHERE id = ?2 AND lane = ?3 AND receipt = ?4 RETURNING receipt";

const DELETE: &str = "DELETE FROM messages WHERE id = ?1 AND lane = ?2 AND receipt = ?3";

pub(super) const PEEK: &str = "\
SELECT id, body, dequeued, inserted_at FROM messages WHERE lane = ?1 AND visible_at <= ?2 \
ORDER BY visible_at, inserted_at LIMIT ?3";

pub(super) const DEPTH: &str = "\
SELECT count(*), min(CASE WHEN visible_at <= ?2 THEN inserted_at END) \
FROM messages WHERE lane = ?1";

fn number(lane: Lane) -> i64 {
    match lane {
        Lane::Jobs => 0,
        Lane::Poison => 1,
    }
}

fn end_of(now: i64, visibility: Duration) -> i64 {
    (Timestamp::from_millis(now) + visibility.min(MAX_VISIBILITY)).millis()
}

fn at_most(max: usize) -> i64 {
    i64::try_from(max.min(MAX_RECEIVE)).unwrap_or(0)
}

/// A receipt as the table has it: message id and pop receipt.
fn parse(receipt: &Receipt) -> Result<(i64, i64), Trouble> {
    let id = receipt.message_id.parse().ok();
    id.zip(receipt.pop_receipt.parse().ok()).ok_or_else(receipt_lost)
}

fn receipt_lost() -> Trouble {
    Trouble::new(Fault::ReceiptLost, "somebody else has received or deleted it")
}

fn send(connection: &Connection, lane: i64, body: &str, now: i64, at: i64) -> Result<(), Trouble> {
    connection.prepare_cached(SEND)?.execute(params![lane, at, now, body])?;
    Ok(())
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        receipt: Receipt {
            message_id: row.get::<_, i64>(0)?.to_string(),
            pop_receipt: row.get::<_, i64>(1)?.to_string(),
        },
        body: row.get(2)?,
        dequeue_count: row.get(3)?,
        inserted_at: Timestamp::from_millis(row.get(4)?),
    })
}

fn peeked(row: &Row<'_>) -> rusqlite::Result<Peeked> {
    Ok(Peeked {
        message_id: row.get::<_, i64>(0)?.to_string(),
        body: row.get(1)?,
        dequeue_count: row.get(2)?,
        inserted_at: Timestamp::from_millis(row.get(3)?),
    })
}

impl Store {
    fn queue_error(&self, doing: impl Into<String>, trouble: Trouble) -> ClusterError {
        self.error(Service::Queue, doing, trouble)
    }

    fn message_error(&self, doing: &str, receipt: &Receipt, trouble: Trouble) -> ClusterError {
        self.queue_error(format!("{doing} message {:?}", receipt.message_id), trouble)
    }

    /// Hides a message again, with another body if there is one.
    async fn update_message(
        &self,
        lane: Lane,
        receipt: &Receipt,
        visibility: Duration,
        body: Option<String>,
    ) -> Result<Receipt, Trouble> {
        let (id, old) = parse(receipt)?;
        let (lane, visible_at) = (number(lane), end_of(self.now(), visibility));
        let new: i64 = self
            .writer
            .write(Durability::Relaxed, move |connection| {
                let read = |row: &Row<'_>| row.get(0);
                let updated = match &body {
                    None => connection
                        .prepare_cached(RENEW)?
                        .query_row(params![visible_at, id, lane, old], read),
                    Some(body) => connection
                        .prepare_cached(HIDE)?
                        .query_row(params![visible_at, id, lane, old, body], read),
                };
                updated.optional()?.ok_or_else(receipt_lost)
            })
            .await?;
        Ok(Receipt { message_id: receipt.message_id.clone(), pop_receipt: new.to_string() })
    }
}

#[async_trait]
impl JobQueue for Store {
    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        let now = self.now();
        let visible_at = end_of(now, delay);
        let lane = number(lane);
        self.writer
            .write(Durability::Synced, move |connection| {
                send(connection, lane, &body, now, visible_at)
            })
            .await
            .map_err(|trouble| self.queue_error("send a message", trouble))
    }

    async fn send_all(&self, lane: Lane, bodies: Vec<String>) -> Result<()> {
        if bodies.is_empty() {
            return Ok(());
        }
        let doing = format!("send {} messages", bodies.len());
        let (now, lane) = (self.now(), number(lane));
        self.writer
            .write(Durability::Synced, move |connection| {
                bodies.iter().try_for_each(|body| send(connection, lane, body, now, now))
            })
            .await
            .map_err(|trouble| self.queue_error(doing, trouble))
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        let (lane, now, max) = (number(lane), self.now(), at_most(max));
        let hidden_until = end_of(now, visibility);
        let mut deliveries = self
            .writer
            .write(Durability::Relaxed, move |connection| {
                let mut statement = connection.prepare_cached(RECEIVE)?;
                let rows = statement.query_map(params![hidden_until, lane, now, max], delivery)?;
                Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            })
            .await
            .map_err(|trouble| self.queue_error("receive messages", trouble))?;
        deliveries.sort_by_key(|delivery| delivery.inserted_at);
        Ok(deliveries)
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.update_message(lane, receipt, visibility, None)
            .await
            .map_err(|trouble| self.message_error("renew", receipt, trouble))
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        self.update_message(lane, receipt, visibility, Some(body))
            .await
            .map_err(|trouble| self.message_error("hide", receipt, trouble))
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        let failed = |trouble| self.message_error("delete", receipt, trouble);
        let (id, pop_receipt) = parse(receipt).map_err(failed)?;
        // A job that is back after a power cut is found done, like one that is delivered twice; a
        // dead letter would be replayed twice.
        let durability = match lane {
            Lane::Jobs => Durability::Relaxed,
            Lane::Poison => Durability::Synced,
        };
        let lane = number(lane);
        self.writer
            .write(durability, move |connection| {
                let mut statement = connection.prepare_cached(DELETE)?;
                match statement.execute(params![id, lane, pop_receipt])? {
                    0 => Err(receipt_lost()),
                    _ => Ok(()),
                }
            })
            .await
            .map_err(failed)
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        let (lane, now, max) = (number(lane), self.now(), at_most(max));
        self.lists
            .read(move |connection| {
                let mut statement = connection.prepare_cached(PEEK)?;
                let rows = statement.query_map(params![lane, now, max], peeked)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
            .map_err(|trouble| self.queue_error("peek at messages", trouble))
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        let (lane, now) = (number(lane), self.now());
        self.lists
            .read(move |connection| {
                let mut statement = connection.prepare_cached(DEPTH)?;
                Ok(statement.query_row(params![lane, now], |row| {
                    Ok(Depth {
                        messages: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                        oldest: row.get::<_, Option<i64>>(1)?.map(Timestamp::from_millis),
                    })
                })?)
            })
            .await
            .map_err(|trouble| self.queue_error("count the messages", trouble))
    }
}

//! Lists of status items: queries over all partitions, and the place up to which changes are known.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use azure_data_cosmos::{
    CosmosError, FeedScope, Query,
    options::{MaxItemCountHint, QueryOptions},
};
use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::Value;

use super::{CosmosStore, Newest, partition::Held, state::Found, status_item::Stored};
use crate::cluster::{ChangeMark, StatusItem, StatusPage, StatusQuery, Version, VersionedStatus};

/// What a list shows of an item. A final status may hold a run's whole result: not that.
const MEMBERS: &str = "c.id, c.runId, c.status, c.lastUpdated, c.blueprintId, c.startedAt, c.nodes, \
                       c.error, c.parentRunId, c.nextDueAt, c.worker, c._ts, c._etag";

/// How many items come with one answer of the service at most.
const ITEMS_AN_ANSWER: u32 = 1_000;

/// How long after a second it counts as certain that nothing more will be written in it: partitions
/// have clocks of their own.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

/// The conditions of a query, with their values.
#[derive(Debug, Default, Clone)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<(String, Value)>,
}

impl Conditions {
    /// The conditions of a query on status items, without that on the time of the change.
    fn of(query: &StatusQuery) -> Self {
        let mut conditions = Self::default();
        if !query.statuses.is_empty() {
            let places: Vec<String> = query
                .statuses
                .iter()
                .map(|status| conditions.value(status.as_str().into()))
                .collect();
            conditions.texts.push(format!("c.status IN ({})", places.join(", ")));
        }
        if let Some(blueprint) = &query.blueprint {
            let place = conditions.value(blueprint.as_str().into());
            conditions.texts.push(format!("c.blueprintId = {place}"));
        }
        if let Some(before) = query.touched_before {
            // Exact to the second; other programs write texts, or nothing: those are looked at here.
            let place = conditions.value(before.seconds().saturating_add(1).into());
            conditions
                .texts
                .push(format!("(c.lastUpdated < {place} OR NOT IS_NUMBER(c.lastUpdated))"));
        }
        if let Some(before) = query.due_before {
            let place = conditions.value(before.seconds().saturating_add(1).into());
            conditions.texts.push(format!("c.nextDueAt < {place}"));
        }
        conditions
    }

    /// Adds a value, and returns how the text names it.
    fn value(&mut self, value: Value) -> String {
        let name = format!("@v{}", self.values.len());
        self.values.push((name.clone(), value));
        name
    }

    fn and(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// A query for items that meet the conditions.
    fn select(&self, top: usize, order: &str) -> Result<Query, CosmosError> {
        let filter = if self.texts.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", self.texts.join(" AND "))
        };
        let text = format!("SELECT TOP {top} {MEMBERS} FROM c{filter}{order}");
        let mut query = Query::from(text);
        for (name, value) in &self.values {
            query = query.with_parameter(name.clone(), value)?;
        }
        Ok(query)
    }
}

#[derive(Deserialize)]
struct WrittenAt {
    #[serde(rename = "_ts")]
    second: i64,
}

impl CosmosStore {
    pub(super) async fn list(&self, query: &StatusQuery) -> Result<StatusPage, CosmosError> {
        match query.changed_after {
            Some(mark) => self.list_changes(query, mark).await,
            None => self.list_newest(query).await,
        }
    }

    /// Items newest start first, those without one last.
    async fn list_newest(&self, query: &StatusQuery) -> Result<StatusPage, CosmosError> {
        // Those who look for old or overdue items do not ask for later changes.
        let wants_mark = query.touched_before.is_none() && query.due_before.is_none();
        let mark = if wants_mark { self.newest_change().await? } else { 0 };
        let mut conditions = Conditions::of(query);
        let started = match query.started_until {
            Some(until) => format!("c.startedAt <= {}", conditions.value(until.seconds().into())),
            None => "IS_NUMBER(c.startedAt)".to_owned(),
        };
        let mut items = Vec::new();
        for (condition, order) in
            [(started.as_str(), " ORDER BY c.startedAt DESC"), ("NOT IS_NUMBER(c.startedAt)", "")]
        {
            let room = query.limit.saturating_sub(items.len());
            if room == 0 {
                break;
            }
            let select = conditions.clone().and(condition).select(room, order)?;
            let found: Vec<Stored> = self.query(select).await?;
            for stored in found {
                items
                    .extend(self.placed(stored).await?.filter(|status| meets(&status.item, query)));
            }
        }
        Ok(StatusPage { items, mark: ChangeMark(mark) })
    }

    /// Items in the order in which they were written, from the second of the mark on.
    async fn list_changes(
        &self,
        query: &StatusQuery,
        mark: ChangeMark,
    ) -> Result<StatusPage, CosmosError> {
        let begun = Instant::now();
        if query.limit == 0 {
            return Ok(StatusPage { items: Vec::new(), mark });
        }
        let mut conditions = Conditions::of(query);
        let place = conditions.value(mark.0.into());
        let select = conditions
            .and(format!("c._ts >= {place}"))
            .select(query.limit.saturating_add(1), " ORDER BY c._ts ASC")?;
        let mut found: Vec<Stored> = self.query(select).await?;
        let goes_on = found.len() > query.limit;
        found.truncate(query.limit);
        let last = found.last().map_or(mark.0, Stored::written_at);
        // The rest of a page's last second is listed with the next page.
        let mark = if goes_on { last } else { self.settled(last.max(mark.0), begun) };
        let mut items = Vec::with_capacity(found.len());
        for stored in found {
            items.extend(self.placed(stored).await?.filter(|status| meets(&status.item, query)));
        }
        Ok(StatusPage { items, mark: ChangeMark(mark) })
    }

    /// The second of the latest change.
    async fn newest_change(&self) -> Result<i64, CosmosError> {
        let found: Vec<WrittenAt> =
            self.query(Query::from("SELECT TOP 1 c._ts FROM c ORDER BY c._ts DESC")).await?;
        Ok(found.first().map_or(0, |item| item.second))
    }

    /// The second from which on later changes are to be listed, when a query that was begun at
    /// `begun` found nothing after `last`. That second itself is listed again until nothing more can
    /// be written in it. (Only this machine's passing time counts, not its time of day.)
    fn settled(&self, last: i64, begun: Instant) -> i64 {
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        match *newest {
            Some(Newest { second, seen }) if second >= last => {
                let ahead = Duration::from_secs((second - last).unsigned_abs());
                if begun.saturating_duration_since(seen) + ahead >= SETTLED_AFTER {
                    last + 1
                } else {
                    last
                }
            }
            _ => {
                *newest = Some(Newest { second: last, seen: Instant::now() });
                last
            }
        }
    }

    async fn query<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        query: Query,
    ) -> Result<Vec<T>, CosmosError> {
        let options = QueryOptions::default().with_max_item_count(MaxItemCountHint::Limit(
            std::num::NonZeroU32::new(ITEMS_AN_ANSWER).unwrap_or(std::num::NonZeroU32::MIN),
        ));
        let client = self.open(&self.0.statuses).await?;
        let items =
            client.query_items::<T>(query, FeedScope::full_container(), Some(options)).await?;
        items.try_collect().await
    }

    /// A listed item with its version. Of one that was moved to its place by a process that died
    /// before it could delete the old one, the new one.
    async fn placed(&self, stored: Stored) -> Result<Option<VersionedStatus>, CosmosError> {
        let etag = stored.etag().unwrap_or(Version(String::new()));
        if stored.has_run_id() {
            return Ok(Some(VersionedStatus { item: stored.into_item(), version: etag }));
        }
        let item = stored.into_item();
        let Some(Held::Placed(etag)) = Held::of(&etag) else { return Ok(None) };
        let found = self.read(&self.0.statuses, &item.run_id, None).await?;
        if let Found::Item(_, Held::Placed(_)) = found {
            self.remove_misplaced(&self.0.statuses, &item.run_id, &etag).await;
            return Ok(None);
        }
        let version = Held::Misplaced(etag).version();
        Ok(Some(VersionedStatus { item, version }))
    }
}

/// Whether an item is touched and due before the times that the query names: queries compare whole
/// seconds, and numbers only.
fn meets(item: &StatusItem, query: &StatusQuery) -> bool {
    query.touched_before.is_none_or(|before| item.last_updated < before)
        && query.due_before.is_none_or(|before| item.next_due_at.is_some_and(|due| due < before))
}

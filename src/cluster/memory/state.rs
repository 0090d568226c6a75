//! The state store in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_trait::async_trait;

use super::lock;
use crate::{
    blueprint::RunId,
    cluster::{
        ChangeMark, ClusterError, DOCUMENT_LIMIT, Fault, ReadDocument, Result, Service, StateStore,
        StatusItem, StatusPage, StatusQuery, Version, VersionedStatus,
    },
    engine::{Measure, Op, RunDocument, Timestamp},
};

/// The runs' documents and status items. Handing out a document costs nothing: a clone shares its
/// contents.
#[derive(Default)]
pub(super) struct MemoryState {
    documents: Mutex<BTreeMap<RunId, Stored>>,
    statuses: Mutex<Statuses>,
}

struct Stored {
    document: RunDocument,
    version: u64,
}

#[derive(Default)]
struct Statuses {
    by_run: BTreeMap<RunId, Written>,
    /// The runs in the order in which their items were written last.
    by_change: BTreeMap<u64, RunId>,
    /// Newest start first, those without a start last.
    by_start: BTreeSet<(Reverse<Option<Timestamp>>, RunId)>,
    last_change: u64,
}

struct Written {
    item: StatusItem,
    /// The place of the last write in the order of all writes: the item's version, too.
    change: u64,
}

impl Statuses {
    fn write(&mut self, item: &StatusItem) -> Version {
        self.last_change += 1;
        let change = self.last_change;
        let run = &item.run_id;
        if let Some(old) = self.by_run.insert(run.clone(), Written { item: item.clone(), change }) {
            self.by_change.remove(&old.change);
            self.by_start.remove(&(Reverse(old.item.started_at), run.clone()));
        }
        self.by_change.insert(change, run.clone());
        self.by_start.insert((Reverse(item.started_at), run.clone()));
        version(change)
    }

    fn mark(change: u64) -> ChangeMark {
        ChangeMark(i64::try_from(change).unwrap_or(i64::MAX))
    }

    fn newest(&self, query: &StatusQuery) -> StatusPage {
        let items = self
            .by_start
            .iter()
            .filter_map(|(_, run)| self.by_run.get(run))
            .filter(|written| matches(&written.item, query))
            .take(query.limit)
            .map(Written::versioned)
            .collect();
        StatusPage { items, mark: Self::mark(self.last_change) }
    }

    fn changed(&self, query: &StatusQuery, after: ChangeMark) -> StatusPage {
        let after = u64::try_from(after.0).unwrap_or(0);
        let mut found = self
            .by_change
            .range(after.saturating_add(1)..)
            .filter_map(|(_, run)| self.by_run.get(run))
            .filter(|written| matches(&written.item, query));
        let page: Vec<&Written> = found.by_ref().take(query.limit).collect();
        // What did not fit on the page must be after its mark.
        let mark = if found.next().is_some() {
            page.last().map_or(after, |last| last.change)
        } else {
            self.last_change
        };
        StatusPage {
            items: page.into_iter().map(Written::versioned).collect(),
            mark: Self::mark(mark),
        }
    }
}

impl Written {
    fn versioned(&self) -> VersionedStatus {
        VersionedStatus { item: self.item.clone(), version: version(self.change) }
    }
}

fn matches(item: &StatusItem, query: &StatusQuery) -> bool {
    let status_fits = query.statuses.is_empty()
        || item.status.is_some_and(|status| query.statuses.contains(&status));
    let blueprint_fits =
        query.blueprint.is_none() || query.blueprint.as_ref() == item.blueprint_id.as_ref();
    let touched_fits = query.touched_before.is_none_or(|before| item.last_updated < before);
    let due_fits =
        query.due_before.is_none_or(|before| item.next_due_at.is_some_and(|due| due < before));
    let start_fits =
        query.started_until.is_none_or(|until| item.started_at.is_none_or(|start| start <= until));
    status_fits && blueprint_fits && touched_fits && due_fits && start_fits
}

fn version(number: u64) -> Version {
    Version(number.to_string())
}

fn failure(doing: &str, run: &RunId, fault: Fault, detail: &str) -> ClusterError {
    ClusterError::new(Service::State, format!("{doing} run {:?}", run.as_str()), fault, detail)
}

fn check_size(doing: &str, run: &RunId, document: &RunDocument) -> Result<()> {
    let (bytes, limit) = (document.measured(Measure::Values), DOCUMENT_LIMIT);
    if bytes > limit {
        let detail = format!("the document would have {bytes} bytes; {limit} are allowed");
        return Err(failure(doing, run, Fault::TooLarge { bytes, limit }, &detail));
    }
    Ok(())
}

#[async_trait]
impl StateStore for MemoryState {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        check_size("create", run, document)?;
        let mut documents = lock(&self.documents);
        if documents.contains_key(run) {
            return Err(failure("create", run, Fault::Conflict, "it exists already"));
        }
        documents.insert(run.clone(), Stored { document: document.clone(), version: 1 });
        Ok(version(1))
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        let documents = lock(&self.documents);
        Ok(match documents.get(run) {
            None => ReadDocument::Missing,
            Some(stored) if known == Some(&version(stored.version)) => ReadDocument::Unchanged,
            Some(stored) => {
                ReadDocument::Whole(Box::new(stored.document.clone()), version(stored.version))
            }
        })
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        check_size("commit to", run, after)?;
        let mut documents = lock(&self.documents);
        let Some(stored) =
            documents.get_mut(run).filter(|stored| version(stored.version) == *expected)
        else {
            return Err(failure("commit to", run, Fault::Conflict, "it changed since it was read"));
        };
        // The operations and not `after` are taken, as in the stores that keep single rows: so a
        // plan whose two halves disagree shows up here as well.
        for op in ops {
            stored.document.apply(op);
        }
        debug_assert_eq!(
            stored.document.size(),
            after.size(),
            "the operations do not lead to the document they came with"
        );
        stored.version += 1;
        Ok(version(stored.version))
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        let mut statuses = lock(&self.statuses);
        if statuses.by_run.contains_key(&item.run_id) {
            let detail = "it exists already";
            return Err(failure("create the status of", &item.run_id, Fault::Conflict, detail));
        }
        Ok(statuses.write(item))
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        Ok(lock(&self.statuses).by_run.get(run).map(Written::versioned))
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        let mut statuses = lock(&self.statuses);
        let current = statuses.by_run.get(&item.run_id).map(|written| version(written.change));
        if current.as_ref() != Some(expected) {
            let detail = "it changed since it was read";
            return Err(failure("replace the status of", &item.run_id, Fault::Conflict, detail));
        }
        Ok(statuses.write(item))
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        let statuses = lock(&self.statuses);
        Ok(match query.changed_after {
            Some(after) => statuses.changed(query, after),
            None => statuses.newest(query),
        })
    }

    fn document_limit(&self) -> usize {
        DOCUMENT_LIMIT
    }

    fn measure(&self) -> Measure {
        Measure::Values
    }
}

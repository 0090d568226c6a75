//! The state store in SQLite.

use async_trait::async_trait;

use super::{
    documents::{self, Rows},
    fault::Trouble,
    statuses::{self, StatusRow},
    store::Store,
    writer::Durability,
};
use crate::{
    blueprint::RunId,
    cluster::{
        ClusterError, DOCUMENT_LIMIT, Fault, ReadDocument, Result, Service, StateStore, StatusItem,
        StatusPage, StatusQuery, Version, VersionedStatus,
    },
    engine::{Measure, Op, RunDocument, RunStatus},
};

fn check_size(document: &RunDocument) -> Result<(), Trouble> {
    let (bytes, limit) = (document.measured(Measure::Values), DOCUMENT_LIMIT);
    if bytes > limit {
        let detail = format!("the document would have {bytes} bytes; {limit} are allowed");
        return Err(Trouble::new(Fault::TooLarge { bytes, limit }, detail));
    }
    Ok(())
}

impl Store {
    fn run_error(&self, doing: &str, run: &RunId, trouble: Trouble) -> ClusterError {
        self.error(Service::State, format!("{doing} run {:?}", run.as_str()), trouble)
    }
}

#[async_trait]
impl StateStore for Store {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        let failed = |trouble| self.run_error("create", run, trouble);
        check_size(document).map_err(failed)?;
        let rows = Rows::of_document(document).map_err(failed)?;
        let id = run.clone();
        let work = move |connection: &_| rows.create(connection, &id);
        self.writer.write(Durability::Synced, work).await.map_err(failed)
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        let (id, known) = (run.clone(), known.and_then(documents::parse_version));
        self.items
            .read(move |connection| documents::read(connection, &id, known))
            .await
            .map_err(|trouble| self.run_error("read", run, trouble))
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        let failed = |trouble| self.run_error("commit to", run, trouble);
        check_size(after).map_err(failed)?;
        let expected =
            documents::parse_version(expected).ok_or_else(|| failed(Trouble::changed()))?;
        let rows = Rows::of_commit(ops).map_err(failed)?;
        let id = run.clone();
        let work = move |connection: &_| rows.commit(connection, &id, expected);
        self.writer.write(Durability::Synced, work).await.map_err(failed)
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        let failed = |trouble| self.run_error("create the status of", &item.run_id, trouble);
        let row = StatusRow::of(item).map_err(failed)?;
        let work = move |connection: &_| row.create(connection);
        self.writer.write(Durability::Synced, work).await.map_err(failed)
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        let id = run.clone();
        self.items
            .read(move |connection| statuses::read(connection, &id))
            .await
            .map_err(|trouble| self.run_error("read the status of", run, trouble))
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        let failed = |trouble| self.run_error("replace the status of", &item.run_id, trouble);
        let expected =
            documents::parse_version(expected).ok_or_else(|| failed(Trouble::changed()))?;
        let row = StatusRow::of(item).map_err(failed)?;
        // The item of an unfinished run follows its document and is put right at the next touch.
        let durability = match item.status {
            Some(status) if RunStatus::is_final(status) => Durability::Synced,
            _ => Durability::Relaxed,
        };
        let work = move |connection: &_| row.replace(connection, expected);
        self.writer.write(durability, work).await.map_err(failed)
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        let query = query.clone();
        self.lists
            .read(move |connection| statuses::list(connection, &query))
            .await
            .map_err(|trouble| self.error(Service::State, "list runs", trouble))
    }

    fn document_limit(&self) -> usize {
        DOCUMENT_LIMIT
    }

    fn measure(&self) -> Measure {
        Measure::Values
    }
}

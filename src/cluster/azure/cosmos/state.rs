//! The state store in Cosmos DB: every write is one conditional request.

use async_trait::async_trait;
use azure_core::http::{Etag, StatusCode};
use azure_data_cosmos::{
    CosmosError, PartitionKey,
    models::ItemResponse,
    options::{ItemReadOptions, ItemWriteOptions, Precondition},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Container, CosmosStore,
    fault::{failed, is_missing_item, is_not_modified},
    item::{ContextItem, StoredDocument},
    partition::{self, Held},
    status_item::{Stored, Written},
};
use crate::{
    blueprint::RunId,
    cluster::{
        ClusterError, DOCUMENT_LIMIT, Fault, ReadDocument, Result, Service, StateStore, StatusItem,
        StatusPage, StatusQuery, Version, VersionedStatus,
    },
    engine::{Op, RunDocument},
};

/// What a read of an item found.
pub(super) enum Found {
    /// No such item.
    Nothing,
    /// The item is in the state that the caller knows.
    Unchanged,
    /// Its text, and the state it is in.
    Item(Vec<u8>, Held),
}

impl CosmosStore {
    fn error(&self, container: &Container, doing: String, error: &CosmosError) -> ClusterError {
        failed(self.place(container), doing, error)
    }

    /// Reads an item, from the partition of the undefined key if it is not where it belongs.
    pub(super) async fn read(
        &self,
        container: &Container,
        run: &RunId,
        known: Option<Held>,
    ) -> Result<Found, CosmosError> {
        let (placed, misplaced) = match known {
            Some(Held::Placed(etag)) => (Some(etag), None),
            Some(Held::Misplaced(etag)) => (None, Some(etag)),
            None => (None, None),
        };
        match self.read_from(container, partition::of_run(run), run, placed, Held::Placed).await? {
            Found::Nothing => {
                let key = partition::undefined();
                self.read_from(container, key, run, misplaced, Held::Misplaced).await
            }
            found => Ok(found),
        }
    }

    async fn read_from(
        &self,
        container: &Container,
        key: PartitionKey,
        run: &RunId,
        known: Option<Etag>,
        held: fn(Etag) -> Held,
    ) -> Result<Found, CosmosError> {
        let mut options = ItemReadOptions::default();
        options.precondition = known.map(Precondition::if_none_match);
        let client = self.open(container).await?;
        let response = match client.read_item(key, run, Some(options)).await {
            Ok(response) => response,
            Err(error) if is_missing_item(&error) => return Ok(Found::Nothing),
            Err(error) if is_not_modified(&error) => return Ok(Found::Unchanged),
            Err(error) => return Err(error),
        };
        if response.status().status_code() == StatusCode::NotModified {
            return Ok(Found::Unchanged);
        }
        let etag = etag(&response);
        let bytes = response.into_body().single()?;
        Ok(Found::Item(bytes.to_vec(), held(etag)))
    }

    async fn create(
        &self,
        container: &Container,
        run: &RunId,
        item: &RawValue,
    ) -> Result<Version, CosmosError> {
        let client = self.open(container).await?;
        let response = client.create_item(partition::of_run(run), run, item, None).await?;
        Ok(Held::Placed(etag(&response)).version())
    }

    /// Replaces the item that is in the state `held`. One that is misplaced is moved to where it
    /// belongs: created there, then deleted. Who finds both takes the one in its place.
    async fn replace(
        &self,
        container: &Container,
        run: &RunId,
        item: &RawValue,
        held: &Held,
    ) -> Result<Version, CosmosError> {
        let client = self.open(container).await?;
        match held {
            Held::Placed(etag_before) => {
                let options =
                    ItemWriteOptions::default().with_precondition(partition::only_if(etag_before));
                let response =
                    client.replace_item(partition::of_run(run), run, item, Some(options)).await?;
                Ok(Held::Placed(etag(&response)).version())
            }
            Held::Misplaced(etag_before) => {
                let version = self.create(container, run, item).await?;
                self.remove_misplaced(container, run, etag_before).await;
                Ok(version)
            }
        }
    }

    /// Deletes an item without a run id, once there is one in its place.
    pub(super) async fn remove_misplaced(&self, container: &Container, run: &RunId, etag: &Etag) {
        let options = ItemWriteOptions::default().with_precondition(partition::only_if(etag));
        let Ok(client) = self.open(container).await else { return };
        if let Err(error) = client.delete_item(partition::undefined(), run, Some(options)).await {
            // It stays, and whoever lists it tries again.
            tracing::debug!(%run, status = %error.status(), "could not delete an item without runId");
        }
    }

    fn write_failed(
        &self,
        container: &Container,
        doing: String,
        error: &CosmosError,
    ) -> ClusterError {
        if is_missing_item(error) {
            let detail = "it is not there any more";
            return ClusterError::new(Service::State, doing, Fault::Conflict, detail);
        }
        self.error(container, doing, error)
    }
}

fn etag(response: &ItemResponse) -> Etag {
    // Every answer to a point read and a write has one.
    response.headers().etag().cloned().unwrap_or_else(|| Etag::from(""))
}

/// An item as JSON, if it is not too large.
fn encode(item: &impl Serialize, doing: &str) -> Result<Box<RawValue>> {
    let text = to_raw_value(item).map_err(|error| {
        let detail = format!("it can't be written as JSON ({error})");
        ClusterError::new(Service::State, doing, Fault::Refused, detail)
    })?;
    let (bytes, limit) = (text.get().len(), DOCUMENT_LIMIT);
    if bytes > limit {
        let detail = format!("the item would have {bytes} bytes; the service takes {limit}");
        return Err(ClusterError::new(
            Service::State,
            doing,
            Fault::TooLarge { bytes, limit },
            detail,
        ));
    }
    Ok(text)
}

fn unreadable(doing: String, error: &serde_json::Error) -> ClusterError {
    let (line, column) = (error.line(), error.column());
    let detail = format!(
        "the item is not what workers write (line {line}, column {column}): correct it, or delete it and start the run again"
    );
    ClusterError::new(Service::State, doing, Fault::Corrupt, detail)
}

fn no_such_state(doing: String) -> ClusterError {
    ClusterError::new(Service::State, doing, Fault::Conflict, "it changed since it was read")
}

fn doing(what: &str, run: &RunId) -> String {
    format!("{what} run {:?}", run.as_str())
}

#[async_trait]
impl StateStore for CosmosStore {
    async fn create_document(&self, run: &RunId, document: &RunDocument) -> Result<Version> {
        let doing = doing("create", run);
        let item = encode(&ContextItem { run, document }, &doing)?;
        let contexts = &self.0.contexts;
        self.create(contexts, run, &item).await.map_err(|error| self.error(contexts, doing, &error))
    }

    async fn read_document(&self, run: &RunId, known: Option<&Version>) -> Result<ReadDocument> {
        let doing = doing("read", run);
        let contexts = &self.0.contexts;
        match self.read(contexts, run, known.and_then(Held::of)).await {
            Ok(Found::Nothing) => Ok(ReadDocument::Missing),
            Ok(Found::Unchanged) => Ok(ReadDocument::Unchanged),
            Ok(Found::Item(text, held)) => {
                let StoredDocument(document) =
                    serde_json::from_slice(&text).map_err(|error| unreadable(doing, &error))?;
                Ok(ReadDocument::Whole(Box::new(document), held.version()))
            }
            Err(error) => Err(self.error(contexts, doing, &error)),
        }
    }

    async fn commit_document(
        &self,
        run: &RunId,
        expected: &Version,
        _ops: &[Op],
        after: &RunDocument,
    ) -> Result<Version> {
        let doing = doing("commit to", run);
        let item = encode(&ContextItem { run, document: after }, &doing)?;
        let Some(held) = Held::of(expected) else { return Err(no_such_state(doing)) };
        let contexts = &self.0.contexts;
        self.replace(contexts, run, &item, &held)
            .await
            .map_err(|error| self.write_failed(contexts, doing, &error))
    }

    async fn create_status(&self, item: &StatusItem) -> Result<Version> {
        let doing = doing("create the status of", &item.run_id);
        let text = encode(&Written::of(item), &doing)?;
        let statuses = &self.0.statuses;
        self.create(statuses, &item.run_id, &text)
            .await
            .map_err(|error| self.error(statuses, doing, &error))
    }

    async fn read_status(&self, run: &RunId) -> Result<Option<VersionedStatus>> {
        let doing = doing("read the status of", run);
        let statuses = &self.0.statuses;
        match self.read(statuses, run, None).await {
            Ok(Found::Nothing | Found::Unchanged) => Ok(None),
            Ok(Found::Item(text, held)) => {
                let stored: Stored =
                    serde_json::from_slice(&text).map_err(|error| unreadable(doing, &error))?;
                let item = stored.into_item();
                Ok(Some(VersionedStatus { item, version: held.version() }))
            }
            Err(error) => Err(self.error(statuses, doing, &error)),
        }
    }

    async fn replace_status(&self, item: &StatusItem, expected: &Version) -> Result<Version> {
        let doing = doing("replace the status of", &item.run_id);
        let text = encode(&Written::of(item), &doing)?;
        let Some(held) = Held::of(expected) else { return Err(no_such_state(doing)) };
        let statuses = &self.0.statuses;
        self.replace(statuses, &item.run_id, &text, &held)
            .await
            .map_err(|error| self.write_failed(statuses, doing, &error))
    }

    async fn list_statuses(&self, query: &StatusQuery) -> Result<StatusPage> {
        self.list(query).await.map_err(|error| {
            self.error(&self.0.statuses, "list the runs' status items".to_owned(), &error)
        })
    }

    fn document_limit(&self) -> usize {
        DOCUMENT_LIMIT
    }
}

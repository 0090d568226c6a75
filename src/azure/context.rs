//! The state of one run, for programs that look at it or change it from outside.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use crate::{
    blueprint::RunId,
    cluster::{AzureServices, ClusterError, Fault, ReadDocument, Result, Service, StateStore},
    engine::{Op, RunDocument},
};

/// How often a change is tried that others are quicker than.
const TRIES: u32 = 20;

/// The state of one run: its context keys, as they are stored. A node's output is `_outputs.X`.
///
/// Each call reads or writes the run's item; each change is a compare-and-swap, so that none is lost.
#[derive(Clone)]
pub struct CosmosDbContext {
    state: Arc<dyn StateStore>,
    run: RunId,
}

impl std::fmt::Debug for CosmosDbContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CosmosDbContext").field("run", &self.run).finish_non_exhaustive()
    }
}

impl CosmosDbContext {
    /// The state of a run on a cluster.
    pub fn new(services: &AzureServices, run: RunId) -> Self {
        Self { state: services.state(), run }
    }

    /// The value of a key; nothing if it has none. Fails with [`Fault::NotFound`] if there is no
    /// such run.
    pub async fn get(&self, key: &str) -> Result<Option<Value>> {
        let (document, _) = self.read().await?;
        Ok(document.get(key).map(|value| (**value).clone()))
    }

    /// Whether a key has a value.
    pub async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.get(key).await?.is_some())
    }

    /// All keys with their values.
    pub async fn to_json(&self) -> Result<Map<String, Value>> {
        let (document, _) = self.read().await?;
        Ok(document.context().map(|(key, value)| (key.to_string(), (**value).clone())).collect())
    }

    /// Sets a key.
    pub async fn set(&self, key: &str, value: Value) -> Result<()> {
        self.change(&Op::Set(key.into(), Arc::new(value))).await
    }

    /// Removes a key. Returns whether it had a value.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let had = self.has(key).await?;
        if had {
            self.change(&Op::Remove(key.into())).await?;
        }
        Ok(had)
    }

    async fn read(&self) -> Result<(RunDocument, crate::cluster::Version)> {
        match self.state.read_document(&self.run, None).await? {
            ReadDocument::Whole(document, version) => Ok((*document, version)),
            _ => Err(ClusterError::new(
                Service::State,
                format!("read run {:?}", self.run.as_str()),
                Fault::NotFound,
                "there is no such run",
            )),
        }
    }

    async fn change(&self, op: &Op) -> Result<()> {
        let mut tries = 0;
        loop {
            let (document, version) = self.read().await?;
            let mut ops = vec![op.clone()];
            if !document.head().is_unadopted() {
                // Workers that know this run notice by its revision that it changed.
                let mut head = document.head().clone();
                head.rev += 1;
                head.commit = format!("{:016x}", rand::random::<u64>());
                ops.push(Op::Head(Arc::new(head)));
            }
            let mut after = document;
            for op in &ops {
                after.apply(op);
            }
            match self.state.commit_document(&self.run, &version, &ops, &after).await {
                Err(error) if error.fault == Fault::Conflict && tries < TRIES => {
                    tries += 1;
                    let pause =
                        Duration::from_millis(rand::random_range(1..=20 * u64::from(tries)));
                    tokio::time::sleep(pause).await;
                }
                written => return written.map(|_| ()),
            }
        }
    }
}

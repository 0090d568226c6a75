//! The state of one run, for programs that look at it or change it from outside.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use crate::{
    blueprint::RunId,
    cluster::{
        AzureServices, ClusterError, Fault, ReadDocument, Result, Service, StateStore, Version,
    },
    engine::{Op, RunDocument},
};

/// How often a call is tried that the service can't answer now, or a change that others are quicker
/// than.
const TRIES: u32 = 20;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

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
        self.change(&Op::Set(key.into(), Arc::new(value))).await.map(|_| ())
    }

    /// Removes a key. Returns whether it had a value.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let before = self.change(&Op::Remove(key.into())).await?;
        Ok(before.get(key).is_some())
    }

    async fn read(&self) -> Result<(RunDocument, Version)> {
        let mut tries = 0;
        loop {
            match self.state.read_document(&self.run, None).await {
                Ok(ReadDocument::Whole(document, version)) => return Ok((*document, version)),
                Ok(_) => {
                    return Err(ClusterError::new(
                        Service::State,
                        format!("read run {:?}", self.run.as_str()),
                        Fault::NotFound,
                        "there is no such run",
                    ));
                }
                Err(error) => pause_after(error, &mut tries).await?,
            }
        }
    }

    /// Carries out one operation; returns the document as it was before. After an answer that was
    /// lost it is carried out again, which comes to the same.
    async fn change(&self, op: &Op) -> Result<RunDocument> {
        let mut tries = 0;
        loop {
            let (before, version) = self.read().await?;
            let mut ops = vec![op.clone()];
            if !before.head().is_unadopted() {
                // Workers that know this run notice by its revision that it changed.
                let mut head = before.head().clone();
                head.rev += 1;
                head.commit = format!("{:016x}", rand::random::<u64>());
                ops.push(Op::Head(Arc::new(head)));
            }
            let mut after = before.clone();
            for op in &ops {
                after.apply(op);
            }
            match self.state.commit_document(&self.run, &version, &ops, &after).await {
                Ok(_) => return Ok(before),
                Err(error) => pause_after(error, &mut tries).await?,
            }
        }
    }
}

/// Waits before the next try, longer each time; gives the error back if trying again is no use.
async fn pause_after(error: ClusterError, tries: &mut u32) -> Result<()> {
    if !(error.is_transient() || error.fault == Fault::Conflict) || *tries >= TRIES {
        return Err(error);
    }
    *tries += 1;
    let millis = rand::random_range(1..=20 * u64::from(*tries));
    let asked = match error.fault {
        Fault::Throttled { retry_after } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    tokio::time::sleep(Duration::from_millis(millis).max(asked).min(LONGEST_PAUSE)).await;
    Ok(())
}

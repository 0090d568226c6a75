//! The worker bound to Azure.

use std::sync::Arc;

use crate::{
    blueprint::Library,
    cluster::{AzureServices, AzureSettings, Result, SystemClock},
    nodes::Registry,
    operations::Operations,
    worker::{Worker, WorkerConfig},
};

/// A worker on a cluster on Azure. Cloning gives another handle to the same worker.
#[derive(Debug, Clone)]
pub struct AzureQueueAdapter {
    services: AzureServices,
    worker: Worker,
}

impl AzureQueueAdapter {
    /// A worker with these blueprints and kinds of node. It connects when it is started.
    ///
    /// Fails if the settings ask for what this machine can't do, such as a certificate store that
    /// can't be read.
    pub fn new(
        settings: AzureSettings,
        library: Library,
        registry: Registry,
        config: WorkerConfig,
    ) -> Result<Self> {
        let services = AzureServices::new(settings)?;
        let cluster = services.cluster(Arc::new(SystemClock));
        Ok(Self { services, worker: Worker::new(cluster, library, registry, config) })
    }

    /// Creates the queues, the database and the containers where they are missing.
    pub async fn provision(&self) -> Result<()> {
        self.services.create_missing().await.map(|_| ())
    }

    /// Works until [`AzureQueueAdapter::stop`] is called and everything that was running has ended.
    /// Dropping the future stops at once; messages in hand come back when their visibility timeout
    /// ends.
    pub async fn start(&self) {
        self.worker.run().await;
    }

    /// Takes no new jobs any more.
    pub fn stop(&self) {
        self.worker.drain();
    }

    /// What an operator can do, in the process of this worker: start runs, answer, requeue.
    pub fn operations(&self) -> Operations {
        Operations::beside(&self.worker)
    }

    /// The worker itself: its status, pausing it.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}

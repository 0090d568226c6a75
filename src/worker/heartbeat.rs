//! Telling the cluster that this worker is alive.

use std::{sync::atomic::Ordering, time::Duration};

use super::Worker;
use crate::cluster::{ClusterError, Heartbeat, Holder, Key};

/// How long a heartbeat counts.
pub(crate) const TTL: Duration = Duration::from_secs(30);

impl Worker {
    /// Sends heartbeats until dropped: three for each that must not be missed, and one at once when
    /// the mode changes.
    pub(crate) async fn beat(&self) {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut mode = self.mode.subscribe();
        loop {
            let heartbeat = Heartbeat {
                name: self.config.name.clone(),
                host: host.clone(),
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at: self.started_at,
                slots: u32::try_from(self.config.slots).unwrap_or(u32::MAX),
                in_flight: u32::try_from(self.counts.in_flight.load(Ordering::Relaxed))
                    .unwrap_or(u32::MAX),
                done: self.counts.done.load(Ordering::Relaxed),
                mode: *mode.borrow_and_update(),
                sent_at: Some(self.core.cluster().clock.now()),
                cost: Some(self.meter.report(self.core.now())),
            };
            if let Err(error) = self.core.cluster().coordination.beat(&heartbeat, TTL).await {
                tracing::debug!(%error, "could not send a heartbeat");
            }
            tokio::select! {
                () = tokio::time::sleep(TTL / 3) => {}
                _ = mode.changed() => {}
            }
        }
    }

    /// Says goodbye, and lets another worker reconcile. [`Worker::run`] does so when it has drained;
    /// who stops it before that should.
    pub async fn leave(&self) {
        if let Err(error) = self.stop_reconciling().await {
            tracing::debug!(%error, "could not give the reconciler's lease back");
        }
        if let Err(error) = self.core.cluster().coordination.leave(&self.config.name).await {
            tracing::debug!(%error, "could not say goodbye");
        }
    }

    async fn stop_reconciling(&self) -> Result<(), ClusterError> {
        let store = &self.core.cluster().coordination;
        let key = Key::reconciler();
        if let Some(value) = store.get(&key).await?
            && Holder::worker_of(&value) == Some(&*self.config.name)
        {
            store.break_lock(&key, &value).await?;
        }
        Ok(())
    }
}

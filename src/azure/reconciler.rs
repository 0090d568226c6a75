//! Finding stalled runs on Azure and resuming them, without a worker.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    blueprint::{Library, WorkerName},
    cluster::{AzureServices, AzureSettings, Result, SystemClock},
    operations::{OperationError, Operations},
    worker::ReconcileReport,
};

/// How a reconciler works. As JSON: `{"stalledThresholdSeconds":300}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AzureReconcilerOptions {
    /// For how long nothing must have moved in a run for it to count as stalled, in seconds.
    pub stalled_threshold_seconds: u64,
    /// What it is called in the runs' status items.
    pub name: WorkerName,
}

impl Default for AzureReconcilerOptions {
    fn default() -> Self {
        Self { stalled_threshold_seconds: 300, name: WorkerName::from("reconciler") }
    }
}

/// Finds stalled runs and resumes them.
#[derive(Debug, Clone)]
pub struct AzureReconciler {
    operations: Operations,
    stalled_after: Duration,
}

/// A reconciler of the runs that follow these blueprints. Runs of others count as failed.
pub fn create_azure_reconciler(
    settings: AzureSettings,
    library: Library,
    options: AzureReconcilerOptions,
) -> Result<AzureReconciler> {
    let cluster = AzureServices::new(settings)?.cluster(Arc::new(SystemClock));
    Ok(AzureReconciler {
        operations: Operations::new(cluster, library, options.name),
        stalled_after: Duration::from_secs(options.stalled_threshold_seconds),
    })
}

impl AzureReconciler {
    /// One pass over all stalled runs. What it did is in the report: `stalledRuns`,
    /// `reconciledRuns`, `failedRuns`, and each run.
    pub async fn run(&self) -> Result<ReconcileReport, OperationError> {
        self.operations.reconcile_stalled(self.stalled_after).await
    }
}

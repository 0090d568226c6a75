//! How far an operation on many things is, and stopping it between two of them.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many of the things are done.
    pub done: usize,
    /// How many there are.
    pub total: usize,
    /// What is being done: `replaying`.
    pub what: String,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.what, self.done, self.total)
    }
}

/// Somebody who follows an operation and may stop it. Cheap to clone.
#[derive(Clone)]
pub struct Oversight {
    listener: Arc<dyn Fn(Progress) + Send + Sync>,
    stop: CancellationToken,
}

impl fmt::Debug for Oversight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oversight").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Oversight {
    /// Tells `listener` how far it is, and stops once `stop` is cancelled.
    pub fn new(
        listener: impl Fn(Progress) + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> Self {
        Self { listener: Arc::new(listener), stop }
    }

    /// Nobody follows it, and nobody stops it.
    pub fn nobody() -> Self {
        Self::new(|_| {}, CancellationToken::new())
    }

    /// Says how far it is.
    pub fn report(&self, done: usize, total: usize, what: impl Into<String>) {
        (self.listener)(Progress { done, total, what: what.into() });
    }

    /// Whether it is to stop, leaving what is not done yet as it is.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until it is to stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

//! What can go wrong between us and a service, told apart by what the caller can do about it.

use std::{fmt, time::Duration};

/// One of the three services of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Jobs waiting to run.
    Queue,
    /// Run state.
    State,
    /// Locks, counters, heartbeats.
    Coordination,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queue => "queue",
            Self::State => "state",
            Self::Coordination => "coordination",
        })
    }
}

/// The kinds of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The item changed since it was read (HTTP 412), or exists though it must not (409). Nothing
    /// was written.
    Conflict,
    /// There is no such item or message.
    NotFound,
    /// The pop receipt is no longer valid: somebody else has received the message since.
    ReceiptLost,
    /// The service wants fewer requests (HTTP 429, 503). Nothing was done.
    Throttled {
        /// When it wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The service did not answer, or broke off. Whether the call took effect is unknown.
    Unavailable,
    /// The item would be larger than the service takes. Nothing was written.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The most the service takes.
        limit: usize,
    },
    /// The service refuses: a wrong key, a missing permission, a missing container, a full disk.
    /// Trying again without a change by an operator is pointless.
    Refused,
    /// What the service holds can't be understood.
    Corrupt,
}

/// A call to a service that failed: which service, what it was asked to do, why it did not.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{service}: can't {doing}: {detail}")]
pub struct ClusterError {
    /// The service.
    pub service: Service,
    /// What was asked of it, such as `read run "42"`.
    pub doing: String,
    /// The kind of fault.
    pub fault: Fault,
    /// What the service or the system said, and what to do about it. Never a secret.
    pub detail: String,
}

impl ClusterError {
    /// An error of a service.
    pub fn new(
        service: Service,
        doing: impl Into<String>,
        fault: Fault,
        detail: impl Into<String>,
    ) -> Self {
        Self { service, doing: doing.into(), fault, detail: detail.into() }
    }

    /// Whether the same call may succeed later without anybody's help.
    pub fn is_transient(&self) -> bool {
        matches!(self.fault, Fault::Throttled { .. } | Fault::Unavailable)
    }

    /// Whether the write may have taken effect although it failed.
    pub fn may_have_happened(&self) -> bool {
        self.fault == Fault::Unavailable
    }
}

/// What calls to a cluster return.
pub type Result<T, E = ClusterError> = std::result::Result<T, E>;

//! What the service's errors mean to a caller.
//!
//! Nothing that came over the wire is repeated but error codes: error texts hold URLs with
//! signatures, and what a request was signed with.

use std::{error::Error as _, time::Duration};

use azure_core::{
    error::ErrorKind,
    http::{
        RawResponse, StatusCode,
        headers::{HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS},
        policies::get_retry_after,
    },
    time::{OffsetDateTime, parse_rfc7231},
};

use super::{
    super::identity,
    connection::{Access, StorageConnection},
    messages::{garbled, timestamp},
};
use crate::{
    cluster::{ClusterError, Fault, Service},
    engine::Timestamp,
};

/// How far two clocks may be apart: the service takes requests that are 15 minutes old.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(14 * 60);

/// Why a call failed, as long as it is not said which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) fault: Fault,
    pub(super) detail: String,
}

impl Problem {
    pub(super) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }

    /// The error for a caller.
    pub(super) fn of(self, doing: impl Into<String>) -> ClusterError {
        ClusterError::new(Service::Queue, doing, self.fault, self.detail)
    }
}

/// Where a call went, and when.
pub(super) struct Called<'a> {
    pub(super) connection: &'a StorageConnection,
    pub(super) queue: &'a str,
    pub(super) now: Timestamp,
}

impl Called<'_> {
    /// What an error of the SDK means.
    pub(super) fn problem(&self, error: &azure_core::Error) -> Problem {
        if let Some(refusal) = identity::refusal(error) {
            let fault = if refusal.passing { Fault::Unavailable } else { Fault::Refused };
            return Problem::new(fault, refusal.to_string());
        }
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, raw_response } => {
                let code = error_code.as_deref().filter(|code| is_code(code)).unwrap_or_default();
                self.answered(*status, code, raw_response.as_deref())
            }
            ErrorKind::Connection | ErrorKind::Io => self.unreached(error),
            ErrorKind::DataConversion => garbled(),
            _ => Problem::new(Fault::Refused, "the Azure SDK refuses to make the request"),
        }
    }

    /// The service did not answer in time.
    pub(super) fn timed_out(&self, after: Duration) -> Problem {
        let after = humantime::format_duration(after);
        Problem::new(
            Fault::Unavailable,
            format!("{} did not answer within {after}", self.connection.authority()),
        )
    }

    fn unreached(&self, error: &azure_core::Error) -> Problem {
        let host = self.connection.authority();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            // The HTTP client's own texts name the URL, with the signature in it.
            if !inner.is::<reqwest::Error>() && !inner.is::<azure_core::Error>() {
                causes.push(inner.to_string());
            }
            cause = inner.source();
        }
        let said = causes.last().map_or("no reason given", String::as_str);
        if causes.iter().any(|cause| cause.contains("dns error")) {
            return Problem::new(
                Fault::Unavailable,
                format!(
                    "{host} can't be found ({said}); check the account's name and this machine's \
                     network"
                ),
            );
        }
        if said.contains("certificate") {
            return Problem::new(
                Fault::Refused,
                format!(
                    "{host} does not prove who it is ({said}); add its authority's certificate"
                ),
            );
        }
        let what =
            if *error.kind() == ErrorKind::Connection { "can't be reached" } else { "broke off" };
        Problem::new(Fault::Unavailable, format!("{host} {what} ({said})"))
    }

    fn answered(&self, status: StatusCode, code: &str, response: Option<&RawResponse>) -> Problem {
        let refused = |detail: String| Problem::new(Fault::Refused, detail);
        let shown = if code.is_empty() || code == status.to_string() {
            u16::from(status).to_string()
        } else {
            format!("{}, {code}", u16::from(status))
        };
        match (u16::from(status), code) {
            (404, "QueueNotFound" | "ResourceNotFound") => refused(format!(
                "the account {:?} has no queue {:?}; make it with: flowcraft-tui provision",
                self.connection.account(),
                self.queue
            )),
            (404, "MessageNotFound") | (400, "PopReceiptMismatch") => receipt_lost(),
            (400, _) if response.is_some_and(blames_pop_receipt) => receipt_lost(),
            (401 | 403, _) | (400, "InvalidAuthenticationInfo") => {
                refused(format!("{} ({shown})", self.kept_out(code, response)))
            }
            (409, "QueueBeingDeleted") => Problem::new(
                Fault::Unavailable,
                format!("the queue {:?} is still being deleted, which takes a minute", self.queue),
            ),
            (429 | 503, _) => Problem::new(
                Fault::Throttled { retry_after: response.and_then(|r| retry_after(r.headers())) },
                format!("the service wants fewer requests ({shown})"),
            ),
            (408 | 500..=599, _) => Problem::new(
                Fault::Unavailable,
                format!("the service has trouble of its own ({shown})"),
            ),
            _ => refused(format!(
                "{} does not take the request ({shown}); check that the endpoint is that of a \
                 queue service",
                self.connection.authority()
            )),
        }
    }

    /// Why the service lets nobody in, and what to do.
    fn kept_out(&self, code: &str, response: Option<&RawResponse>) -> String {
        let account = self.connection.account();
        let service_time = response.and_then(|response| service_time(response.headers()));
        if let Some(there) = service_time {
            let apart = self.now.since(there).max(self.now.until(there));
            if apart > CLOCK_TOLERANCE {
                let way = if self.now > there { "ahead of" } else { "behind" };
                return format!(
                    "this machine's clock is {} {way} the service's; set it",
                    humantime::format_duration(Duration::from_secs(apart.as_secs()))
                );
            }
        }
        match (code, self.connection.access()) {
            ("AccountIsDisabled", _) => format!("the account {account:?} is disabled"),
            ("KeyBasedAuthenticationNotPermitted", _) => format!(
                "the account {account:?} does not allow its keys; leave AccountKey out to use \
                 Microsoft Entra ID"
            ),
            ("AuthorizationSourceIPMismatch", _) => {
                "the shared access signature is not for this machine's address; make a new one and \
                 restart"
                    .to_owned()
            }
            ("AuthorizationProtocolMismatch" | "AccountRequiresHttps", _) => {
                "the service wants https; change the endpoint".to_owned()
            }
            ("AuthorizationFailure", _) => format!(
                "the account {account:?} does not let this machine in; allow its address or network \
                 in the account's network rules"
            ),
            (_, Access::Signature(signature))
                if signature.expires_at() <= service_time.unwrap_or(self.now) =>
            {
                format!(
                    "the shared access signature expired at {}; make a new one and restart",
                    signature.expires_at()
                )
            }
            (code, Access::Signature(_)) if code.starts_with("Authorization") => {
                "the shared access signature does not allow this; make a new one and restart"
                    .to_owned()
            }
            (_, Access::Signature(_)) => {
                "the service does not accept the shared access signature: the key behind it may \
                 have changed; make a new one and restart"
                    .to_owned()
            }
            (code, Access::Entra) if code.starts_with("Authorization") => format!(
                "the identity lacks a role on the account {account:?}; assign it \"Storage Queue \
                 Data Contributor\""
            ),
            (_, Access::Entra) => format!(
                "the account {account:?} does not accept the token of Microsoft Entra ID; check \
                 that both are of the same tenant"
            ),
            (_, Access::Key(_)) => format!(
                "the account {account:?} does not accept the key: it may have been changed; copy \
                 the present one and restart"
            ),
        }
    }
}

pub(super) fn receipt_lost() -> Problem {
    Problem::new(Fault::ReceiptLost, "somebody else has received or deleted it")
}

/// Whether the service complains of the form of a pop receipt, as it does of one it never gave.
fn blames_pop_receipt(response: &RawResponse) -> bool {
    std::str::from_utf8(response.body())
        .is_ok_and(|body| body.to_ascii_lowercase().contains(">popreceipt<"))
}

/// Whether a text is a code, not a sentence that may hold anything.
fn is_code(text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// When the service wants to be asked again.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let known = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER];
    get_retry_after(headers, OffsetDateTime::now_utc, &known)?.try_into().ok()
}

/// What the service's clock showed.
pub(super) fn service_time(headers: &Headers) -> Option<Timestamp> {
    let text = headers.get_optional_str(&HeaderName::from_static("date"))?;
    parse_rfc7231(text).ok().map(timestamp)
}

//! What Cosmos DB's errors mean to a caller.

use std::{error::Error as _, time::Duration};

use azure_core::http::StatusCode;
use azure_data_cosmos::{CosmosError, SubStatusCode};

use crate::cluster::{ClusterError, DOCUMENT_LIMIT, Fault, Service, azure::identity::Refusal};

/// The sub-status of a 404 that means the container or the database, not the item.
const OWNER_NOT_FOUND: u16 = 1003;
/// Sub-statuses of the client's own: no answer, no token, no such host.
const OPERATION_TIMED_OUT: u16 = 20008;
const CONNECTION_FAILED: u16 = 20010;
const CONNECTION_BROKE: u16 = 20011;
const NO_ANSWER: u16 = 20003;
const HOST_UNKNOWN: u16 = 20012;
const TOKEN_UNAVAILABLE: u16 = 20402;
/// The sub-status of a 403 that means a firewall rule.
const BLOCKED_BY_FIREWALL: u16 = 5300;

/// Where a call went, for its error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The account's address.
    pub(super) endpoint: &'a str,
    /// The database and container, such as `flowcraft-db/contexts`.
    pub(super) container: &'a str,
}

/// The error of a call that failed.
pub(super) fn failed(
    place: Place<'_>,
    doing: impl Into<String>,
    error: &CosmosError,
) -> ClusterError {
    let (fault, detail) = classify(place, error);
    ClusterError::new(Service::State, doing, fault, detail)
}

/// Whether an error says that there is no such item in a container that is there.
pub(super) fn is_missing_item(error: &CosmosError) -> bool {
    let status = error.status();
    status.status_code() == StatusCode::NotFound && sub(error) != OWNER_NOT_FOUND
}

/// Whether an error says that the item is in the state that the caller knows (HTTP 304).
pub(super) fn is_not_modified(error: &CosmosError) -> bool {
    error.status().status_code() == StatusCode::NotModified
}

fn sub(error: &CosmosError) -> u16 {
    error.status().sub_status().as_ref().map_or(0, SubStatusCode::value)
}

fn classify(Place { endpoint, container }: Place<'_>, error: &CosmosError) -> (Fault, String) {
    let status = u16::from(error.status().status_code());
    match (status, sub(error)) {
        (404, _) => (
            Fault::Refused,
            format!(
                "{endpoint} has no {container}: run \"flowcraft-tui provision\", or correct its name in the configuration"
            ),
        ),
        (409, _) => (Fault::Conflict, "it exists already".to_owned()),
        (412, _) => (Fault::Conflict, "it changed since it was read".to_owned()),
        (413, _) => (
            Fault::TooLarge { bytes: DOCUMENT_LIMIT + 1, limit: DOCUMENT_LIMIT },
            format!(
                "the item would have more than the {DOCUMENT_LIMIT} bytes that the service takes"
            ),
        ),
        (429, _) => {
            let retry_after = retry_after(error);
            let detail = format!(
                "{endpoint} is out of request units (HTTP 429): raise the throughput of {container}, or wait"
            );
            (Fault::Throttled { retry_after }, detail)
        }
        // A concurrent write within the service: nothing was done, and the next try may be made at once.
        (449, _) => (
            Fault::Throttled { retry_after: None },
            "a write of the same item was under way (HTTP 449)".to_owned(),
        ),
        (401, TOKEN_UNAVAILABLE) => no_token(endpoint, error),
        (401, _) => (
            Fault::Refused,
            format!(
                "{endpoint} does not accept the key or token (HTTP 401): check AccountKey, and this machine's clock"
            ),
        ),
        (403, BLOCKED_BY_FIREWALL) => (
            Fault::Refused,
            format!(
                "{endpoint} blocks this machine's address (HTTP 403): allow it in the account's firewall"
            ),
        ),
        (403, _) => (
            Fault::Refused,
            format!(
                "{endpoint} refuses (HTTP 403): the identity needs the role \"Cosmos DB Built-in Data Contributor\", the clock must be right, and the account's firewall must let this machine in"
            ),
        ),
        (400, _) => (
            Fault::Refused,
            format!("{endpoint} does not accept the request (HTTP 400): {}", root_cause(error)),
        ),
        (_, HOST_UNKNOWN) => (
            Fault::Unavailable,
            format!("there is no address for {endpoint}: check its name and this machine's DNS"),
        ),
        (_, CONNECTION_FAILED) => (Fault::Unavailable, format!("can't connect to {endpoint}")),
        (_, CONNECTION_BROKE | NO_ANSWER) => {
            (Fault::Unavailable, format!("the connection to {endpoint} broke"))
        }
        (408, OPERATION_TIMED_OUT) => {
            (Fault::Unavailable, format!("no answer from {endpoint} in time"))
        }
        (503, _) if error.is_from_wire() => {
            (Fault::Unavailable, format!("{endpoint} is overloaded or moving (HTTP 503)"))
        }
        (200..=399, _) => (
            Fault::Corrupt,
            format!("{endpoint} answered with what can't be understood: {}", root_cause(error)),
        ),
        (status, sub) => (
            Fault::Unavailable,
            format!("{endpoint} does not serve the request (HTTP {status}, sub-status {sub})"),
        ),
    }
}

/// Why there was no token, and whether trying again may help.
fn no_token(endpoint: &str, error: &CosmosError) -> (Fault, String) {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            let fault = if refusal.passing { Fault::Unavailable } else { Fault::Refused };
            return (fault, format!("{endpoint}: {refusal}"));
        }
        cause = inner.source();
    }
    let detail = format!("no token of Microsoft Entra ID for {endpoint}: {}", root_cause(error));
    (Fault::Unavailable, detail)
}

fn retry_after(error: &CosmosError) -> Option<Duration> {
    error.response()?.headers().retry_after_ms.map(Duration::from_millis)
}

/// The innermost reason, on one line: the outer ones hold lists of tries.
fn root_cause(error: &CosmosError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

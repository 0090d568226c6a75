//! What Cosmos DB was asked and what it charged, as the client tells after each operation: one record
//! for each request, those that it repeated or made for itself included.

use azure_data_cosmos::diagnostics::{DiagnosticsContext, DiagnosticsHandler};

use crate::cluster::{
    RequestUnits, Service,
    meter::{self, Counted},
};

/// The status of an answer for want of request units.
const TOO_MANY: u16 = 429;

/// Counts requests on the account of whoever waits for the operation.
pub(super) struct Counting;

impl DiagnosticsHandler for Counting {
    fn handle(&self, operation: &DiagnosticsContext, _: &azure_core::http::Context<'_>) {
        let mut counted = Counted {
            units: Some(RequestUnits::new(operation.total_request_charge().value())),
            took: operation.duration(),
            ..Counted::default()
        };
        let requests = operation.requests();
        for request in requests.iter().filter(|one| !one.request_sent().definitely_not_sent()) {
            counted.requests += 1;
            let status = u16::from(request.status().status_code());
            counted.throttled += u64::from(status == TOO_MANY);
        }
        // Of very many the client keeps only some.
        let left_out = operation.request_count().saturating_sub(requests.len());
        counted.requests += u64::try_from(left_out).unwrap_or_default();
        meter::count(Service::State, counted);
    }
}

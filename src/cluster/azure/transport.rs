//! The HTTP clients under the Azure SDK.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};

use crate::cluster::{Service, meter};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept to a service behind a load balancer.
const IDLE: Duration = Duration::from_secs(60);

/// How long an idle connection is kept to an emulator: Node.js closes its side after five seconds,
/// and a request sent at that moment would be lost.
const IDLE_NEAR: Duration = Duration::from_secs(4);

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// To this machine or its neighbours: a proxy for the internet has no business there.
    Near,
    /// To the internet, through the proxy that the environment names, if it does.
    Far,
}

/// A client that keeps its connections and follows no redirects: requests are signed for one host.
pub(super) fn transport(distance: Distance) -> azure_core::Result<Transport> {
    client(distance).map(Transport::new)
}

/// The same for a service whose requests are counted.
pub(super) fn counted_transport(
    distance: Distance,
    service: Service,
) -> azure_core::Result<Transport> {
    let client = client(distance)?;
    Ok(Transport::new(Arc::new(Counting { client, service })))
}

/// Counts what passes: every try that the SDK makes.
#[derive(Debug)]
struct Counting {
    client: Arc<dyn HttpClient>,
    service: Service,
}

#[async_trait]
impl HttpClient for Counting {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut counted = meter::Request::to(self.service);
        let answer = self.client.execute_request(request).await;
        match &answer {
            Ok(answer) if matches!(u16::from(answer.status()), 429 | 503) => counted.throttled(),
            Err(error) if *error.kind() == ErrorKind::Connection => counted.unsent(),
            _ => {}
        }
        answer
    }
}

fn client(distance: Distance) -> azure_core::Result<Arc<dyn HttpClient>> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(IDLE);
    if distance == Distance::Near {
        builder = builder.no_proxy().pool_idle_timeout(IDLE_NEAR);
    }
    let client = builder
        .build()
        .map_err(|error| azure_core::Error::new(azure_core::error::ErrorKind::Other, error))?;
    Ok(Arc::new(client))
}

//! The HTTP clients under the Azure SDK.

use std::{sync::Arc, time::Duration};

use azure_core::http::Transport;

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
    Ok(Transport::new(Arc::new(client)))
}

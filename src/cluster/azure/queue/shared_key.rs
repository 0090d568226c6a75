//! Signs requests with an account's key. Unlike a signature in the URL it never expires.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    credentials::Secret,
    hmac::hmac_sha256,
    http::{
        Context, Request,
        headers::{AUTHORIZATION, HeaderName, MS_DATE},
        policies::{Policy, PolicyResult},
    },
    time::{OffsetDateTime, to_rfc7231},
};

/// Puts the signature on each request as it is sent. It must see the request last: it covers all
/// headers of the service's own.
#[derive(Debug)]
pub(super) struct SharedKey {
    account: String,
    key: Secret,
}

impl SharedKey {
    pub(super) fn new(account: &str, key: Secret) -> Self {
        Self { account: account.to_owned(), key }
    }

    pub(super) fn authorization(&self, request: &Request) -> azure_core::Result<String> {
        let signature = hmac_sha256(&string_to_sign(&self.account, request), &self.key)?;
        Ok(format!("SharedKey {}:{signature}", self.account))
    }
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        request.insert_header(MS_DATE, to_rfc7231(&OffsetDateTime::now_utc()));
        let authorization = self.authorization(request)?;
        request.insert_header(AUTHORIZATION, authorization);
        next[0].send(context, request, &next[1..]).await
    }
}

/// What the service computes from the request that it sees, to compare signatures.
pub(super) fn string_to_sign(account: &str, request: &Request) -> String {
    let header = |name: &'static str| {
        request.headers().get_optional_str(&HeaderName::from_static(name)).unwrap_or_default()
    };
    let length = match request.body().len() {
        Some(length) if length > 0 => length.to_string(),
        _ => String::new(),
    };
    let mut text = format!("{}\n", request.method());
    for value in [
        header("content-encoding"),
        header("content-language"),
        &length,
        header("content-md5"),
        header("content-type"),
        // The date is in x-ms-date.
        "",
        header("if-modified-since"),
        header("if-match"),
        header("if-none-match"),
        header("if-unmodified-since"),
        header("range"),
    ] {
        text.push_str(value);
        text.push('\n');
    }

    let own: BTreeMap<&str, &str> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    for (name, value) in own {
        // Writing to a String never fails.
        let _ = writeln!(text, "{name}:{}", value.trim());
    }

    let url = request.url();
    let _ = write!(text, "/{account}{}", url.path());
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in url.query_pairs() {
        parameters.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in parameters {
        values.sort();
        let _ = write!(text, "\n{name}:{}", values.join(","));
    }
    text
}

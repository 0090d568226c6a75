//! Nodes that a web service runs.

mod template;

use std::{
    collections::BTreeMap,
    error::Error as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect::{Attempt, Policy},
};

pub use self::template::{UrlError, UrlTemplate};
use super::{
    context::{NodeContext, NodeError, NodeOutput},
    definition::{HttpDefinition, Method, Part},
    protocol::{Answer, read_aside, request},
    registry::Node,
    secret::{Mask, Secret, printable},
};

/// How long an exchange may take as a whole, unless the definition says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);

/// How long it may take to reach a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How large an answer may be, in bytes.
const LARGEST_ANSWER: usize = 16 << 20;

/// How much of the body that comes with an error is read, in bytes, and for how long.
const ERROR_BODY: usize = 4 << 10;
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);

/// How much of a header, and of the cause of a failed call, an error repeats, in characters.
const SHOWN: usize = 1000;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A kind of node that a web service runs.
pub(super) struct HttpNode {
    name: String,
    client: Client,
    method: Method,
    url: UrlTemplate,
    headers: HeaderMap,
    timeout: Duration,
    send: Vec<Part>,
    mask: Mask,
    requests: AtomicU64,
}

impl Method {
    fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

impl HttpNode {
    /// Makes the node. An error is the setting that can't be used, and why.
    pub(super) fn new(
        name: &str,
        definition: &HttpDefinition,
        headers: &BTreeMap<String, Secret>,
        mut mask: Mask,
    ) -> Result<Self, (String, String)> {
        let mut map = HeaderMap::new();
        for (key, value) in headers {
            let at = || format!("headers.{key}");
            let header = HeaderName::from_bytes(key.as_bytes())
                .map_err(|_| (at(), "not a header's name".to_owned()))?;
            let mut content = HeaderValue::from_str(value.expose()).map_err(|_| {
                (
                    at(),
                    "the value has characters that no header can hold, such as a line break"
                        .to_owned(),
                )
            })?;
            content.set_sensitive(true);
            map.insert(header, content);
            mask.add(value.expose());
        }
        let policy = match definition.method {
            Method::Get => {
                let secrets = map.keys().next().is_some();
                Policy::custom(move |attempt| {
                    if may_follow(&attempt, secrets) { attempt.follow() } else { attempt.stop() }
                })
            }
            _ => Policy::none(),
        };
        if definition.method.has_body() {
            map.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        let client = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(policy)
            .build()
            .map_err(|error| ("client".to_owned(), root_cause(&error)))?;
        Ok(Self {
            name: name.to_owned(),
            client,
            method: definition.method,
            url: definition.url.clone(),
            headers: map,
            timeout: definition.timeout.unwrap_or(DEFAULT_TIMEOUT),
            send: definition.send.clone(),
            mask,
            requests: AtomicU64::new(0),
        })
    }

    /// One exchange; nothing if the answer has no body.
    async fn exchange(
        &self,
        url: Url,
        place: &str,
        id: String,
        context: &NodeContext,
    ) -> Result<Option<Answer>, NodeError> {
        let key = utf8_percent_encode(&context.execution().idempotency_key, CONTROLS).to_string();
        let mut headers = self.headers.clone();
        if let Ok(key) = HeaderValue::from_str(&key) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        let mut asked = self.client.request(self.method.into(), url).headers(headers);
        if self.method.has_body() {
            asked = asked.body(request(&id, context, &self.send));
        }
        let response = asked.send().await.map_err(|error| failed_call(place, &error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(place, response).await);
        }
        let kind = content_type(&response);
        let body = self.body(place, response).await?;
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let mask = self.mask.clone();
        let read = read_aside(body.len(), move || match serde_json::from_slice(&body) {
            Ok(value) => {
                Answer::from_body(value, &id).map_err(|error| format!("the answer {error}"))
            }
            Err(error) => Err(format!(
                "what it sent is not JSON ({error}; content type {kind}): {}",
                mask.excerpt(&String::from_utf8_lossy(&body))
            )),
        });
        match read.await {
            Ok(answer) => Ok(Some(answer)),
            Err(text) => {
                let status = status.as_u16();
                Err(NodeError::fatal(
                    self.mask.apply(&format!("{place} answered {status}, but {text}")),
                ))
            }
        }
    }

    /// The whole body, if it is not too large.
    async fn body(&self, place: &str, mut response: Response) -> Result<Vec<u8>, NodeError> {
        let too_large = || {
            NodeError::fatal(format!(
                "{place} sent more than {} MB, which is the most an answer may have",
                LARGEST_ANSWER >> 20
            ))
        };
        let announced = response.content_length().unwrap_or(0);
        if announced > LARGEST_ANSWER as u64 {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| failed_call(place, &error))?
        {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The error for an answer other than 2xx.
    async fn refusal(&self, place: &str, mut response: Response) -> NodeError {
        let status = response.status();
        let mut text = format!("{place} answered {status}");
        if let Some(wait) = header_text(&response, &RETRY_AFTER) {
            text = format!("{text} (Retry-After: {wait})");
        }
        let target = header_text(&response, &LOCATION)
            .filter(|_| status.is_redirection())
            .and_then(|location| response.url().join(&location).ok());
        if let Some(target) = target {
            text = format!(
                "{text}: this redirect to {} is not followed, set the node's url to where it leads",
                target.origin().ascii_serialization()
            );
        } else {
            let mut body = Vec::new();
            // What the server adds is welcome, but the code alone is an answer, too.
            let _ = tokio::time::timeout(ERROR_BODY_TIME, async {
                while let Ok(Some(chunk)) = response.chunk().await {
                    body.extend_from_slice(&chunk);
                    if body.len() > ERROR_BODY {
                        break;
                    }
                }
            })
            .await;
            let said = String::from_utf8_lossy(&body);
            if !said.trim().is_empty() {
                text = format!("{text}: {}", self.mask.excerpt(said.trim()));
            }
        }
        let text = self.mask.apply(&text);
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                NodeError::ordinary(text)
            }
            status if status.is_server_error() => NodeError::ordinary(text),
            _ => NodeError::fatal(text),
        }
    }
}

#[async_trait]
impl Node for HttpNode {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let url = self.url.render(context.params())?;
        // No more of the address than that: paths of web hooks are secrets, too.
        let method = reqwest::Method::from(self.method);
        let place = format!("{method} {}", url.origin().ascii_serialization());
        let id = (self.requests.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let answer =
            tokio::time::timeout(self.timeout, self.exchange(url, &place, id, context)).await;
        let Ok(answer) = answer else {
            return Err(NodeError::ordinary(format!(
                "{place} took longer than {}",
                humantime::format_duration(self.timeout)
            )));
        };
        match answer? {
            Some(answer) => {
                if !answer.unknown_members().is_empty() {
                    tracing::warn!(
                        node = self.name,
                        members = ?answer.unknown_members(),
                        "the answer has members that mean nothing"
                    );
                }
                answer.apply(context, &self.mask)
            }
            None => Ok(NodeOutput::none()),
        }
    }
}

/// A redirect is followed on the same server, and elsewhere only if there are no headers to give
/// away; never from https to http.
fn may_follow(attempt: &Attempt<'_>, has_headers: bool) -> bool {
    let Some(from) = attempt.previous().last() else { return false };
    let to = attempt.url();
    attempt.previous().len() <= MOST_REDIRECTS
        && (from.origin() == to.origin()
            || !has_headers && (from.scheme() == "http" || to.scheme() == "https"))
}

fn header_text(response: &Response, name: &HeaderName) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(printable(&String::from_utf8_lossy(value.as_bytes()), SHOWN))
}

fn content_type(response: &Response) -> String {
    header_text(response, &CONTENT_TYPE).unwrap_or_else(|| "none".to_owned())
}

/// The error for a call that gave no whole answer. Another attempt may do better.
fn failed_call(place: &str, error: &reqwest::Error) -> NodeError {
    let what = if error.is_connect() {
        "can't be reached"
    } else if error.is_timeout() {
        "took too long"
    } else if error.is_body() || error.is_decode() {
        "broke off its answer"
    } else {
        "can't be called"
    };
    NodeError::ordinary(format!("{place} {what}: {}", root_cause(error)))
}

/// The innermost cause: the outer ones name the address with everything in it.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "no reason given".to_owned(), |cause| printable(&cause.to_string(), SHOWN))
}

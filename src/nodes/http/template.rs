//! Addresses with parameters in them.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::nodes::{NodeError, protocol::kind_of};

/// What is escaped in a parameter's value: everything but the characters that never mean anything
/// in an address.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a text is not an address with parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// `{{` without `}}`, or something else than `params.NAME` between them.
    #[error("write a parameter as {{{{ params.NAME }}}}")]
    Placeholder,
    /// Not an address.
    #[error("not an address ({0}): it begins with http:// or https://, then a host")]
    Invalid(String),
    /// Neither http nor https.
    #[error("{0}:// can't be called: use http:// or https://")]
    Scheme(String),
}

/// An address with `{{ params.NAME }}` in it. A dot in NAME leads into an object.
///
/// Neither `Debug`, `Display` nor serialization show a password or what stands behind `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    parts: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// The path of a parameter, without `params.`.
    Param(String),
}

impl UrlTemplate {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while let Some((literal, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or(UrlError::Placeholder)?;
            let name = name.trim().strip_prefix("params.").ok_or(UrlError::Placeholder)?;
            if name.split('.').any(|step| step.trim().is_empty()) {
                return Err(UrlError::Placeholder);
            }
            parts.push(Piece::Literal(literal.to_owned()));
            parts.push(Piece::Param(name.to_owned()));
            rest = after;
        }
        parts.push(Piece::Literal(rest.to_owned()));
        let template = Self { parts };
        // A number fits wherever a value can stand, even as a port.
        let sample = template.fill(|_| Ok::<_, UrlError>("1".to_owned()))?;
        let url = Url::parse(&sample).map_err(|error| UrlError::Invalid(error.to_string()))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(template),
            "http" | "https" => Err(UrlError::Invalid("no host".to_owned())),
            other => Err(UrlError::Scheme(other.to_owned())),
        }
    }

    /// The address for these parameters, each value percent-encoded. One that is missing, is not a
    /// single value, or would change the path it stands in is a fatal error: another attempt would
    /// not help.
    pub(super) fn render(&self, params: &Map<String, Value>) -> Result<Url, NodeError> {
        let mut names = Vec::new();
        let text = self.fill(|name| {
            names.push(name);
            let value = param_text(params, name)?;
            Ok::<_, NodeError>(utf8_percent_encode(&value, ESCAPED).to_string())
        })?;
        let changes_path = path_of(&text)
            .split('/')
            .skip(1)
            .zip(self.path_segments())
            .any(|(segment, fixed)| !fixed && matches!(segment, "" | "." | ".."));
        if changes_path {
            return Err(NodeError::fatal(format!(
                "a parameter of the node's url ({}) is empty, \".\" or \"..\", which would lead to \
                 another address",
                names.iter().map(|name| format!("params.{name}")).collect::<Vec<_>>().join(", ")
            )));
        }
        Url::parse(&text).ok().filter(Url::has_host).ok_or_else(|| {
            NodeError::fatal("the node's url is not an address with these parameters")
        })
    }

    /// For each segment of the path: whether it is the same whatever the parameters are.
    fn path_segments(&self) -> Vec<bool> {
        let marked: String = self
            .parts
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Param(_) => "\0",
            })
            .collect();
        path_of(&marked).split('/').skip(1).map(|segment| !segment.contains('\0')).collect()
    }

    fn fill<'a, E>(
        &'a self,
        mut value: impl FnMut(&'a str) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut text = String::new();
        for piece in &self.parts {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Param(name) => text.push_str(&value(name)?),
            }
        }
        Ok(text)
    }
}

/// What stands between the scheme and the query: the host and the path.
fn path_of(text: &str) -> &str {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    text.split(['?', '#']).next().unwrap_or_default()
}

fn param_text(params: &Map<String, Value>, path: &str) -> Result<String, NodeError> {
    let mut steps = path.split('.').map(str::trim);
    let first = steps.next().and_then(|name| params.get(name));
    match steps.try_fold(first, |value, step| value.map(|value| value.get(step))).flatten() {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        None | Some(Value::Null) => Err(NodeError::fatal(format!(
            "params.{path} is missing: the node's url needs it, set it in the blueprint"
        ))),
        Some(other) => Err(NodeError::fatal(format!(
            "params.{path} is {}, but the node's url needs text, a number, true or false",
            kind_of(other)
        ))),
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self
            .parts
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.clone(),
                Piece::Param(name) => format!("{{{{ params.{name} }}}}"),
            })
            .collect();
        let (scheme, rest) = text.split_once("://").unwrap_or(("", &text));
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = host.rsplit_once('@').map_or(host.to_owned(), |(_, host)| format!("***@{host}"));
        write!(f, "{scheme}://{host}")?;
        match path.find(['?', '#']) {
            Some(at) => write!(f, "{}{}***", &path[..at], &path[at..=at]),
            None => f.write_str(path),
        }
    }
}

impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for UrlTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::nodes::Severity;

    fn rendered(template: &str, params: Value) -> Result<String, NodeError> {
        let Value::Object(params) = params else { panic!("params are an object") };
        UrlTemplate::parse(template).unwrap().render(&params).map(|url| url.to_string())
    }

    #[test]
    fn values_are_escaped() {
        let url = rendered(
            "https://example.com/hooks/{{ params.channel }}?q={{params.q}}&n={{ params.deep.n }}",
            json!({ "channel": "a/b ?#%ü", "q": "x&y=z", "deep": { "n": 7 } }),
        );
        assert_eq!(
            url.unwrap(),
            "https://example.com/hooks/a%2Fb%20%3F%23%25%C3%BC?q=x%26y%3Dz&n=7"
        );
    }

    #[test]
    fn a_missing_or_compound_value_is_fatal_and_named() {
        for (params, text) in [
            (json!({}), "params.channel is missing"),
            (json!({ "channel": null }), "params.channel is missing"),
            (json!({ "channel": [1] }), "params.channel is an array"),
        ] {
            let error = rendered("http://h/{{ params.channel }}", params).unwrap_err();
            assert_eq!(error.severity, Severity::Fatal);
            assert!(error.message.starts_with(text), "{error}");
        }
    }

    #[test]
    fn a_value_cannot_leave_its_place_in_the_path() {
        for value in ["..", ".", ""] {
            let error = rendered("http://h/a/{{ params.x }}", json!({ "x": value })).unwrap_err();
            assert_eq!(error.severity, Severity::Fatal);
        }
        assert_eq!(
            rendered("http://h/a/{{ params.x }}", json!({ "x": "../b" })).unwrap(),
            "http://h/a/..%2Fb"
        );
        assert_eq!(
            rendered("http://h/?q={{ params.x }}", json!({ "x": ".." })).unwrap(),
            "http://h/?q=.."
        );
        assert_eq!(
            rendered("http://h//b/{{ params.x }}", json!({ "x": "y" })).unwrap(),
            "http://h//b/y"
        );
        assert_eq!(
            rendered("http://h:{{ params.x }}/", json!({ "x": 81 })).unwrap(),
            "http://h:81/"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["http://h/{{ params.x", "http://h/{{ x }}", "http://h/{{ params. }}"] {
            assert_eq!(UrlTemplate::parse(text), Err(UrlError::Placeholder), "{text}");
        }
        assert!(matches!(UrlTemplate::parse("example.com"), Err(UrlError::Invalid(_))));
        assert!(matches!(UrlTemplate::parse("http://"), Err(UrlError::Invalid(_))));
        assert_eq!(UrlTemplate::parse("file:///etc"), Err(UrlError::Scheme("file".to_owned())));
    }

    #[test]
    fn passwords_and_queries_do_not_show() {
        let template =
            UrlTemplate::parse("https://me:pw@h.example/p/{{ params.x }}?key=abc").unwrap();
        assert_eq!(template.to_string(), "https://***@h.example/p/{{ params.x }}?***");
        assert_eq!(format!("{template:?}"), "https://***@h.example/p/{{ params.x }}?***");
    }
}

//! Connection strings, which must never be shown as they are.

use std::fmt;

/// What stands in for something secret.
pub(super) const MASK: &str = "***";

/// Members of connection strings that say where, not who.
const OPEN_MEMBERS: [&str; 9] = [
    "defaultendpointsprotocol",
    "accountname",
    "accountendpoint",
    "endpointsuffix",
    "queueendpoint",
    "blobendpoint",
    "tableendpoint",
    "usedevelopmentstorage",
    "ssl",
];

/// Members whose names may show. Everything else is masked whole: it may be a piece of a password.
const SECRET_MEMBERS: [&str; 4] = ["accountkey", "sharedaccesssignature", "user", "password"];

/// A text that holds a key or a password. It shows itself masked; [`Secret::expose`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for connecting, never for showing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Shows the parts of a connection string that are known to be harmless, the rest masked.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("redis") && self.0.contains("://") && !self.0.contains([';', ',']) {
            return f.pad(&mask_url(&self.0));
        }
        let parts: Vec<String> = self
            .0
            .split([';', ','])
            .filter(|part| !part.trim().is_empty())
            .enumerate()
            .map(|(place, part)| mask_member(place, part.trim()))
            .collect();
        f.pad(&parts.join(if self.0.contains(';') { ";" } else { "," }))
    }
}

fn mask_member(place: usize, part: &str) -> String {
    match part.split_once('=') {
        Some((name, value)) if OPEN_MEMBERS.contains(&name.to_lowercase().as_str()) => {
            format!("{name}={}", mask_url(value))
        }
        Some((name, _)) if SECRET_MEMBERS.contains(&name.to_lowercase().as_str()) => {
            format!("{name}={MASK}")
        }
        // The server's name and port come first in Azure's form of a Redis address.
        None if place == 0 && is_host_and_port(part) => part.to_owned(),
        _ => MASK.to_owned(),
    }
}

fn is_host_and_port(text: &str) -> bool {
    text.split_once(':').is_some_and(|(host, port)| {
        !port.is_empty()
            && port.chars().all(|c| c.is_ascii_digit())
            && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
    })
}

/// A URL without user, password and query.
pub(super) fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url
            .split_once('?')
            .map_or(url.to_owned(), |(before, _)| format!("{before}?{MASK}"));
    };
    // A password may hold a slash or a question mark that was not escaped: the last @ counts.
    let (mask, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => (format!("{MASK}@"), rest),
        None => (String::new(), rest),
    };
    match rest.split_once(['?', '#']) {
        Some((before, _)) => format!("{scheme}://{mask}{before}?{MASK}"),
        None => format!("{scheme}://{mask}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_passwords_never_show() {
        let cases = [
            (
                "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=c2VjcmV0==;EndpointSuffix=x.net",
                "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=***;EndpointSuffix=x.net",
            ),
            (
                "QueueEndpoint=https://u.x.net/?sig=secret;SharedAccessSignature=sv=1&sig=secret",
                "QueueEndpoint=https://u.x.net/?***;SharedAccessSignature=***",
            ),
            (
                "AccountEndpoint=https://c.x/;AccountKey=secret;",
                "AccountEndpoint=https://c.x/;AccountKey=***",
            ),
            ("rediss://me:secret@cache:6380/0", "rediss://***@cache:6380/0"),
            ("redis://:c2VjcmV0=@cache:6380", "redis://***@cache:6380"),
            ("redis://me:se/cr?et@cache:6380", "redis://***@cache:6380"),
            ("redis://cache:6379", "redis://cache:6379"),
            (
                "cache.x.net:6380,password=secret=,ssl=True",
                "cache.x.net:6380,password=***,ssl=True",
            ),
            ("secret", "***"),
            ("a b=secret", "***"),
        ];
        for (text, masked) in cases {
            let secret = Secret::new(text);
            assert_eq!(secret.to_string(), masked);
            assert_eq!(format!("{secret:?}"), masked);
            assert!(!masked.contains("secret"));
        }
    }

    #[test]
    fn a_password_with_separators_is_masked_whole() {
        for text in ["redis://:sec=ret@h:1", "redis://:sec;ret@h:1", "redis://:sec,ret=1@h:1"] {
            let shown = Secret::new(text).to_string();
            assert!(!shown.contains("sec") && !shown.contains("ret"), "{shown}");
        }
    }
}

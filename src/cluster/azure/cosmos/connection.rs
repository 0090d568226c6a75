//! How to reach Cosmos DB: its connection string.

use std::fmt;

use azure_core::{credentials::Secret, http::Url};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::cluster::azure::connection_string::{BadConnectionString, Members};

/// The variable that holds it.
const VARIABLE: &str = "COSMOS_DB_CONNECTION_STRING";

/// Where a Cosmos DB account is, and who we are to it.
#[derive(Clone)]
pub struct CosmosConnection {
    endpoint: Url,
    access: Access,
}

/// Who we are to an account.
#[derive(Clone)]
pub(super) enum Access {
    /// Whoever has its key.
    Key(Secret),
    /// Somebody whom Microsoft Entra ID knows.
    Entra,
}

impl fmt::Debug for CosmosConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CosmosConnection")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}

impl CosmosConnection {
    /// Reads `AccountEndpoint=https://…/;AccountKey=…;`. Without a key, or as the endpoint alone,
    /// it means Microsoft Entra ID.
    pub fn parse(text: &str) -> Result<Self, BadConnectionString> {
        let text = text.trim();
        let known =
            ["AccountEndpoint", "AccountKey", "Database", "DisableServerCertificateValidation"];
        if text.starts_with("https://") || text.starts_with("http://") {
            let endpoint =
                parse_endpoint(text, |problem| BadConnectionString::new(VARIABLE, problem))?;
            return Self::checked(endpoint, Access::Entra);
        }
        let members = Members::parse(VARIABLE, text, &known)?;
        let endpoint =
            parse_endpoint(members.require("AccountEndpoint")?, |problem| members.bad(problem))?;
        let access = match members.get("AccountKey") {
            None => Access::Entra,
            Some(key) if STANDARD.decode(key).is_ok_and(|bytes| !bytes.is_empty()) => {
                Access::Key(Secret::new(key.to_owned()))
            }
            Some(_) => {
                let problem = "has an AccountKey that is not base64: copy it again, whole";
                return Err(members.bad(problem));
            }
        };
        Self::checked(endpoint, access)
    }

    fn checked(endpoint: Url, access: Access) -> Result<Self, BadConnectionString> {
        let connection = Self { endpoint, access };
        if connection.endpoint.scheme() == "http" && !connection.is_local() {
            let problem = "has an http endpoint that is not on this machine: use https, which keeps \
                           the key and the data secret";
            return Err(BadConnectionString::new(VARIABLE, problem));
        }
        Ok(connection)
    }

    /// The account's address, without anything secret.
    pub fn endpoint(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }

    pub(super) fn url(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether it is an emulator on this machine.
    pub(super) fn is_local(&self) -> bool {
        match self.endpoint.host_str() {
            Some("localhost") => true,
            Some(host) => host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback()),
            None => false,
        }
    }
}

fn parse_endpoint(
    text: &str,
    bad: impl Fn(&str) -> BadConnectionString,
) -> Result<Url, BadConnectionString> {
    let wrong = "has an AccountEndpoint that is no address: it must look like \
                 https://ACCOUNT.documents.azure.com:443/";
    let url = Url::parse(text).map_err(|_| bad(wrong))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(bad(wrong));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(bad("has an AccountEndpoint with more than scheme, host and port in it"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    #[test]
    fn all_forms_are_understood() {
        let key = "AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey=a2V5;";
        let connection = CosmosConnection::parse(key).unwrap();
        assert_eq!(connection.endpoint(), "https://shop.documents.azure.com");
        assert!(matches!(connection.access(), Access::Key(_)));
        assert!(!format!("{connection:?}").contains("a2V5"));
        for entra in [
            "AccountEndpoint=https://shop.documents.azure.com/",
            "accountendpoint=https://shop.documents.azure.com/;AccountKey=;",
            "https://shop.documents.azure.com:443/",
        ] {
            let connection = CosmosConnection::parse(entra).unwrap();
            assert!(matches!(connection.access(), Access::Entra), "{entra}");
        }
        let local = "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=a2V5";
        assert!(CosmosConnection::parse(local).unwrap().is_local());
        assert!(CosmosConnection::parse("http://[::1]:8081").unwrap().is_local());
    }

    #[test]
    fn what_is_wrong_is_said_and_never_echoed() {
        let cases = [
            ("", "is empty"),
            ("AccountKey=c2VjcmV0", "lacks AccountEndpoint"),
            ("AccountEndpoint=c2VjcmV0;AccountKey=c2VjcmV0", "that is no address"),
            ("AccountEndpoint=ftp://c2VjcmV0/", "that is no address"),
            ("AccountEndpoint=https://x.y/;AccountKey=c2VjcmV0!", "not base64"),
            ("AccountEndpoint=https://me:c2VjcmV0@x.y/", "more than scheme, host and port"),
            ("AccountEndpoint=http://x.y/;AccountKey=c2VjcmV0", "use https"),
            ("AccountEndpoint=https://x.y/;Pass=c2VjcmV0", "unknown member (part 2)"),
            ("https://x.y/?c2VjcmV0", "more than scheme, host and port"),
        ];
        for (text, expected) in cases {
            let message = CosmosConnection::parse(text).unwrap_err().to_string();
            assert!(message.starts_with("COSMOS_DB_CONNECTION_STRING "), "{message}");
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("c2VjcmV0"), "{message}");
        }
    }
}

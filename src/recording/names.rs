//! Which names say that what they name is secret.

use serde_json::Value;

/// A name that has one of these in it, whatever its case and separators.
const PARTS: [&str; 25] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "authorization",
    "connectionstring",
    "connstr",
    "credential",
    "cookie",
    "privatekey",
    "accountkey",
    "accesskey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "primarykey",
    "secondarykey",
    "subscriptionkey",
    "functionskey",
    "sharedaccesssignature",
    "csrf",
    "xsrf",
];

/// A name that is one of these.
const WHOLE: [&str; 13] = [
    "pwd",
    "pass",
    "passcode",
    "sas",
    "sig",
    "auth",
    "bearer",
    "jwt",
    "otp",
    "signature",
    "sessionid",
    "xapi",
    "pat",
];

/// Whether a name says that what it names is secret: `password`, `API-Key`, `dbPasswd`.
pub(crate) fn says_secret(name: &str) -> bool {
    // Longer than any name: not worth the search.
    if name.len() > 120 {
        return false;
    }
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    plain.ends_with("pwd")
        || WHOLE.contains(&plain.as_str())
        || PARTS.iter().any(|part| plain.contains(part))
}

/// Whether a value is only a count of what its name says: `max_tokens`.
pub(super) fn is_count(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    value.is_number() && ["tokens", "count", "total"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_known_whatever_their_case_and_separators() {
        let secret = [
            "password",
            "DB_PASSWORD",
            "passwd",
            "client-secret",
            "accessToken",
            "api_key",
            "apikey",
            "X-API-Key",
            "Authorization",
            "connectionString",
            "credentials",
            "Set-Cookie",
            "private.key",
            "AccountKey",
            "PWD",
            "dbPwd",
            "sig",
            "SAS",
        ];
        for name in secret {
            assert!(says_secret(name), "{name}");
        }
        for name in ["key", "name", "author", "design", "passenger", "runId", "compass", "value"] {
            assert!(!says_secret(name), "{name}");
        }
        assert!(is_count("max_tokens", &json!(4_000)));
        assert!(!is_count("token", &json!(4_000)) && !is_count("tokens", &json!("x")));
    }
}

//! Shared access signatures: URL queries that let their holder in for a while.

use azure_core::http::Url;

use crate::engine::Timestamp;

/// A shared access signature of a storage account, for its queues.
#[derive(Clone)]
pub(super) struct Signature {
    query: String,
    expires_at: Timestamp,
    https_only: bool,
}

/// What the permissions of a signature are called in the portal.
const PERMISSIONS: [(char, &str); 4] =
    [('r', "Read"), ('a', "Add"), ('u', "Update"), ('p', "Process")];

impl Signature {
    /// Reads a signature and refuses what can't work, with the reason and what to do.
    pub(super) fn parse(text: &str, now: Timestamp) -> Result<Self, String> {
        // A signature has no spaces, so a plus sign is one that nobody encoded.
        let query = text.trim().trim_start_matches('?').replace('+', "%2B");
        let mut url = Url::parse("https://x").map_err(|error| error.to_string())?;
        url.set_query(Some(&query));
        let get = |wanted: &str| {
            let (_, value) = url.query_pairs().find(|(name, _)| name == wanted)?;
            Some(value.into_owned()).filter(|value| !value.is_empty())
        };

        if get("sig").is_none() {
            return Err("has a shared access signature without its sig part: copy all of it again"
                .to_owned());
        }
        let Some(services) = get("ss") else {
            return Err(format!(
                "has a shared access signature for a single queue, but two are needed, the jobs' \
                 and the poison queue: {}",
                what_to_make()
            ));
        };
        if !services.contains('q') {
            return Err(format!(
                "has a shared access signature that is not for queues: {}",
                what_to_make()
            ));
        }
        let types = get("srt").unwrap_or_default();
        if !(types.contains('c') && types.contains('o')) {
            return Err(format!(
                "has a shared access signature that is not for both queues and their messages: {}",
                what_to_make()
            ));
        }
        let granted = get("sp").unwrap_or_default();
        let missing: Vec<&str> = PERMISSIONS
            .iter()
            .filter(|(letter, _)| !granted.contains(*letter))
            .map(|(_, name)| *name)
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "has a shared access signature without the permissions {}: {}",
                missing.join(", "),
                what_to_make()
            ));
        }
        let Some(expires_at) = get("se").and_then(|time| parse_time(&time)) else {
            return Err(
                "has a shared access signature without a readable expiry (se): copy all of it again"
                    .to_owned(),
            );
        };
        if expires_at <= now {
            return Err(format!(
                "has a shared access signature that expired at {expires_at}: make a new one"
            ));
        }
        let https_only = get("spr").is_some_and(|protocols| protocols == "https");
        Ok(Self { query, expires_at, https_only })
    }

    /// The query: a secret.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// When it expires.
    pub(super) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether it is void over plain http.
    pub(super) fn https_only(&self) -> bool {
        self.https_only
    }
}

fn what_to_make() -> String {
    let permissions: Vec<&str> = PERMISSIONS.iter().map(|(_, name)| *name).collect();
    format!(
        "make one of the storage account for the service Queue, the resource types Container and \
         Object and the permissions {}",
        permissions.join(", ")
    )
}

/// Reads the forms that ISO 8601 leaves: a day, minutes, seconds or fractions of them, in UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        17 => format!("{}:00Z", text.strip_suffix('Z')?),
        _ => text.to_owned(),
    };
    Timestamp::parse_rfc3339(&full)
}

//! Azure's form of a connection string, which is that of `StackExchange.Redis`:
//! `host:port,password=…,ssl=True,abortConnect=False`.

use super::connection::{Draft, bad, truth};
use crate::cluster::azure::BadConnectionString;

/// Options that are about how a .NET program uses its connection.
const IGNORED: [&str; 26] = [
    "abortConnect",
    "allowAdmin",
    "asyncTimeout",
    "channelPrefix",
    "checkCertificateRevocation",
    "configChannel",
    "configCheckSeconds",
    "connectRetry",
    "connectTimeout",
    "heartbeatConsistencyChecks",
    "heartbeatInterval",
    "highIntegrity",
    "includeDetailInExceptions",
    "includePerformanceCountersInExceptions",
    "keepAlive",
    "name",
    "preserveAsyncOrder",
    "resolveDns",
    "responseTimeout",
    "setlib",
    "sslProtocols",
    "syncTimeout",
    "tiebreaker",
    "version",
    "writeBuffer",
    "libraryName",
];

/// Options that would change which server is meant.
const REFUSED: [&str; 4] = ["proxy", "serviceName", "sslHost", "tunnel"];

/// Understands hosts and options parted by commas.
pub(super) fn parse(text: &str) -> Result<Draft, BadConnectionString> {
    let mut draft = Draft { tls_port: 6380, ..Draft::default() };
    let (mut options_begun, mut after_password) = (false, false);
    for (place, part) in text.split(',').map(str::trim).enumerate() {
        if part.is_empty() {
            continue;
        }
        let place = place + 1;
        let Some((name, value)) = part.split_once('=') else {
            if options_begun {
                return Err(bad(format!(
                    "has a part without \"=\" after the first option (part {place}): hosts come \
                     first; a password with a comma can only be written in a URL"
                )));
            }
            draft.add_host(part)?;
            continue;
        };
        let (name, value) = (name.trim(), value.trim());
        // What follows a password may be the rest of it.
        let suspicious = std::mem::take(&mut after_password);
        options_begun = true;
        match name.to_ascii_lowercase().as_str() {
            "password" => {
                draft.password = Some(value.to_owned());
                after_password = true;
            }
            "user" => draft.user = Some(value.to_owned()),
            "ssl" => draft.tls = Some(truth("ssl", value)?),
            "defaultdatabase" if value.is_empty() => {}
            "defaultdatabase" => draft.set_database(value)?,
            "protocol" => draft.set_protocol(value)?,
            "cluster" => draft.cluster = truth("cluster", value)?,
            "entraid" => draft.entra_id = truth("entraId", value)?,
            _ if is_one_of(name, &IGNORED) => {}
            _ if is_one_of(name, &REFUSED) => {
                return Err(bad(format!("has the option {name}, which is not supported")));
            }
            _ if suspicious => {
                return Err(bad(format!(
                    "has an unknown option right after the password (part {place}); a password \
                     with a comma can only be written in a URL"
                )));
            }
            _ => return Err(bad(format!("has an unknown option {}", named(name, place)))),
        }
    }
    Ok(draft)
}

/// Names an option, unless it may be something else: a key pasted alone ends in `=`, too.
pub(super) fn named(name: &str, place: usize) -> String {
    let plausible = name.len() <= 30 && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    if plausible { format!("{name:?}") } else { format!("(part {place})") }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

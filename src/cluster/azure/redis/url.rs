//! The URL form of a connection string: `rediss://user:password@host:port/database`.

use percent_encoding::percent_decode_str;

use super::{
    connection::{Draft, bad, truth},
    options::named,
};
use crate::cluster::azure::BadConnectionString;

const ENCODE: &str = "in the user and password, \"/\", \"?\", \"#\", \"@\" and \"%\" must be \
                      percent-encoded (%2F, %3F, %23, %40, %25)";

/// Understands what follows the scheme.
pub(super) fn parse(scheme: &str, rest: &str) -> Result<Draft, BadConnectionString> {
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "redis" => false,
        "rediss" => true,
        _ => {
            return Err(bad(
                "has an unknown scheme: it must begin with redis:// or rediss://, or \
                            be host:port,password=…",
            ));
        }
    };
    let mut draft = Draft { tls: Some(tls), tls_port: 6379, ..Draft::default() };
    if rest.contains('#') {
        return Err(bad(format!("has a \"#\": {ENCODE}")));
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if path.contains('@') || query.contains('@') {
        return Err(bad(format!("has an \"@\" behind the host: {ENCODE}")));
    }
    let hosts = match authority.rsplit_once('@') {
        Some((who, hosts)) => {
            let (user, password) = who.split_once(':').unwrap_or((who, ""));
            draft.user = Some(decoded(user)?);
            draft.password = Some(decoded(password)?);
            hosts
        }
        None => authority,
    };
    for host in hosts.split(',') {
        draft.add_host(host.trim())?;
    }
    let database = path.trim_end_matches('/');
    if !database.is_empty() {
        draft.set_database(database)?;
    }
    let options = query.split('&').filter(|option| !option.is_empty());
    for (place, option) in options.enumerate() {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name.to_ascii_lowercase().as_str() {
            "protocol" => draft.set_protocol(value)?,
            "cluster" => draft.cluster = truth("cluster", value)?,
            "entraid" => draft.entra_id = truth("entraId", value)?,
            "db" => draft.set_database(value)?,
            _ => {
                return Err(bad(format!(
                    "has an unknown option {}: the known ones are protocol, cluster, \
                     entraId, db",
                    named(name, place + 1)
                )));
            }
        }
    }
    Ok(draft)
}

fn decoded(text: &str) -> Result<String, BadConnectionString> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(bad(format!("is not UTF-8 once it is decoded: {ENCODE}"))),
    }
}

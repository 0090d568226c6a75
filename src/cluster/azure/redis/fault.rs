//! What Redis's errors mean to a caller, and what helps against them.

use std::{error::Error, io, sync::Arc};

use redis::{ErrorKind, RedisError};

use crate::cluster::Fault;

/// Why a command failed, as long as it is not said what it was for. Can be cloned, since one
/// failed connection fails several commands.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) detail: String,
    /// What may help at once.
    pub(super) cure: Cure,
    /// Whether the server certainly did not carry out the command.
    pub(super) undone: bool,
}

/// What may help at once against a trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cure {
    /// Nothing.
    None,
    /// Another connection.
    Reconnect,
    /// Another node of the cluster.
    Redirect {
        /// The node's host.
        host: String,
        /// The node's port.
        port: u16,
        /// Whether the node must be told that the key is on its way to it.
        asking: bool,
    },
}

impl Trouble {
    pub(super) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), cure: Cure::None, undone: false }
    }

    /// The server refuses, and will again.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self { undone: true, ..Self::new(Fault::Refused, detail) }
    }

    /// There was no answer in time.
    pub(super) fn no_answer(seconds: u64) -> Self {
        let detail = format!("no answer within {seconds} s");
        Self { cure: Cure::Reconnect, ..Self::new(Fault::Unavailable, detail) }
    }

    /// The server can't now, and did nothing.
    fn not_now(detail: impl Into<String>) -> Self {
        Self { undone: true, ..Self::new(Fault::Unavailable, detail) }
    }

    fn reconnect(self) -> Self {
        Self { cure: Cure::Reconnect, ..self }
    }

    /// Whether the server does not know a script by its hash.
    pub(super) fn is_no_script(error: &RedisError) -> bool {
        error.code() == Some("NOSCRIPT")
    }
}

impl From<&RedisError> for Trouble {
    fn from(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => rejected().reconnect(),
            ErrorKind::ClusterConnectionNotFound => {
                Self::not_now("no node of the cluster can be reached").reconnect()
            }
            ErrorKind::Server(_) | ErrorKind::Extension => of_server(error),
            ErrorKind::Parse => Self::new(
                Fault::Unavailable,
                "the answer is not Redis's protocol; check the port, and whether it wants TLS",
            )
            .reconnect(),
            ErrorKind::UnexpectedReturnType => {
                Self::new(Fault::Corrupt, "the answer is of an unexpected type")
            }
            ErrorKind::Io => of_network(error),
            _ => Self::refused(error.to_string()),
        }
    }
}

/// The user or the password is wrong.
fn rejected() -> Trouble {
    Trouble::refused(
        "the user or password is wrong; put the present ones into REDIS_CONNECTION_STRING (was the \
         access key regenerated?)",
    )
}

fn of_network(error: &RedisError) -> Trouble {
    if io_error(error).is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData) {
        return Trouble::refused(format!(
            "no TLS connection; check that the port has TLS and the certificate is for this host \
             and trusted by this machine ({error})"
        ))
        .reconnect();
    }
    let advice = if error.is_connection_refusal() {
        "nothing listens there; start Redis or correct the address"
    } else if error.is_timeout() {
        "no answer in time; is Redis overloaded, or a firewall in between?"
    } else if error.to_string().contains("lookup") {
        "there is no such host; correct the address"
    } else {
        "the connection failed"
    };
    let trouble = Trouble::new(Fault::Unavailable, format!("{advice} ({error})"));
    Trouble { undone: error.is_connection_refusal(), ..trouble }.reconnect()
}

fn io_error(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?;
    let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
    shared.map_or(source.downcast_ref(), |shared| shared.downcast_ref())
}

fn of_server(error: &RedisError) -> Trouble {
    let (code, text) = (error.code().unwrap_or("ERR"), plain(error.detail().unwrap_or_default()));
    match code {
        "MOVED" | "ASK" => redirected(error, code == "ASK"),
        "NOAUTH" => Trouble::refused(
            "it wants a password; put it into REDIS_CONNECTION_STRING (or leave the password out \
             for Microsoft Entra ID on Azure)",
        )
        .reconnect(),
        "WRONGPASS" => rejected().reconnect(),
        "NOPERM" => forbidden(&text),
        "OOM" => Trouble {
            undone: true,
            ..Trouble::new(
                Fault::Throttled { retry_after: None },
                "Redis's memory is full (maxmemory): free some or take a larger one",
            )
        },
        "READONLY" => Trouble::not_now("it is a replica now, a failover is under way").reconnect(),
        "LOADING" => Trouble::not_now("it is loading its data"),
        "MASTERDOWN" => {
            Trouble::not_now("it is a replica without its primary, a failover is under way")
                .reconnect()
        }
        "CLUSTERDOWN" => Trouble::not_now(format!("the cluster is down ({text})")),
        "TRYAGAIN" => Trouble::not_now("the cluster is moving this key to another node"),
        "BUSY" => Trouble::not_now("it is busy with somebody's script (see SCRIPT KILL)"),
        "NOREPLICAS" => Trouble::not_now("it takes no writes while too few replicas are there"),
        "UNKILLABLE" | "NOTBUSY" | "EXECABORT" => Trouble::not_now(text),
        "MISCONF" => Trouble::refused(format!("it can't save its data to disk ({text})")),
        "WRONGTYPE" => Trouble::new(
            Fault::Corrupt,
            "the key holds something else than this program writes; remove the key",
        ),
        _ if text.contains("not an integer") => {
            Trouble::new(Fault::Corrupt, "its value is not a number; remove the key")
        }
        _ if text.contains("max number of clients") => Trouble {
            undone: true,
            ..Trouble::new(
                Fault::Throttled { retry_after: None },
                "it has too many clients (maxclients): end some or take a larger one",
            )
        }
        .reconnect(),
        // Within a script: the user may run the script, but not what is in it.
        _ if text.contains("executing the script can't") || text.contains("no permissions") => {
            forbidden(&text)
        }
        _ if text.contains("unknown command") => Trouble::refused(format!(
            "it lacks a command that is needed ({text}); this program needs EVAL and EVALSHA"
        )),
        _ => Trouble::refused(format!("{code} {text}")),
    }
}

/// The user lacks a permission: says which.
fn forbidden(text: &str) -> Trouble {
    let command = match text.split('\'').collect::<Vec<_>>().as_slice() {
        [_, command, _] => Some(command.to_uppercase()),
        _ => None,
    };
    let detail = match command {
        Some(command) if text.contains("command") => format!(
            "this user may not run {command}; allow it (ACL SETUSER … +{}), or use a user with the \
             rights to read, write and run scripts",
            command.to_lowercase()
        ),
        _ if text.contains("key") => {
            "this user may not use these keys; allow them (ACL SETUSER … ~flowcraft:*)".to_owned()
        }
        _ => format!(
            "this user lacks a permission ({text}); it needs EVAL, EVALSHA and ~flowcraft:*"
        ),
    };
    Trouble::refused(detail)
}

fn redirected(error: &RedisError, asking: bool) -> Trouble {
    let address = error.redirect_node().and_then(|(address, _)| address.rsplit_once(':'));
    let trouble = Trouble::not_now("the key is on another node of the cluster");
    match address.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => {
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Trouble { cure: Cure::Redirect { host, port, asking }, ..trouble }
        }
        None => trouble.reconnect(),
    }
}

/// A server's text on one line, without the arguments of the command that it may repeat: those of
/// AUTH are secret.
fn plain(text: &str) -> String {
    let text = text.split(", with args beginning").next().unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(answer: &str) -> Trouble {
        let value = redis::parse_redis_value(answer.as_bytes()).expect("valid");
        Trouble::from(&value.extract_error().expect_err("an error"))
    }

    #[test]
    fn every_answer_has_its_fault() {
        let throttled = Fault::Throttled { retry_after: None };
        for (answer, fault, cure, undone) in [
            ("-NOAUTH Authentication required.", Fault::Refused, Cure::Reconnect, true),
            ("-WRONGPASS invalid username-password pair", Fault::Refused, Cure::Reconnect, true),
            (
                "-NOPERM this user has no permissions to run the 'eval' command",
                Fault::Refused,
                Cure::None,
                true,
            ),
            (
                "-OOM command not allowed when used memory > 'maxmemory'.",
                throttled.clone(),
                Cure::None,
                true,
            ),
            ("-ERR max number of clients reached", throttled, Cure::Reconnect, true),
            (
                "-READONLY You can't write against a read only replica.",
                Fault::Unavailable,
                Cure::Reconnect,
                true,
            ),
            (
                "-LOADING Redis is loading the dataset in memory",
                Fault::Unavailable,
                Cure::None,
                true,
            ),
            ("-MASTERDOWN Link with MASTER is down", Fault::Unavailable, Cure::Reconnect, true),
            ("-CLUSTERDOWN The cluster is down", Fault::Unavailable, Cure::None, true),
            (
                "-TRYAGAIN Multiple keys request during rehashing of slot",
                Fault::Unavailable,
                Cure::None,
                true,
            ),
            ("-BUSY Redis is busy running a script.", Fault::Unavailable, Cure::None, true),
            (
                "-MISCONF Redis is configured to save RDB snapshots",
                Fault::Refused,
                Cure::None,
                true,
            ),
            ("-WRONGTYPE Operation against a key", Fault::Corrupt, Cure::None, false),
            ("-ERR value is not an integer or out of range", Fault::Corrupt, Cure::None, false),
            ("-ERR unknown command 'EVALSHA'", Fault::Refused, Cure::None, true),
        ] {
            let trouble = trouble(&format!("{answer}\r\n"));
            assert_eq!(
                (trouble.fault, trouble.cure, trouble.undone),
                (fault, cure, undone),
                "{answer}"
            );
        }
    }

    #[test]
    fn redirections_name_the_node() {
        let to = |host: &str, asking| Cure::Redirect { host: host.to_owned(), port: 6381, asking };
        assert_eq!(trouble("-MOVED 3999 127.0.0.1:6381\r\n").cure, to("127.0.0.1", false));
        assert_eq!(trouble("-ASK 3999 [::1]:6381\r\n").cure, to("::1", true));
        assert_eq!(trouble("-MOVED 3999\r\n").cure, Cure::Reconnect);
    }

    #[test]
    fn missing_permissions_are_named() {
        let detail =
            trouble("-NOPERM this user has no permissions to run the 'evalsha' command\r\n").detail;
        assert!(detail.contains("EVALSHA") && detail.contains("+evalsha"), "{detail}");
        let detail = trouble(
            "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n",
        )
        .detail;
        assert!(detail.contains("~flowcraft:*"), "{detail}");
        let detail = trouble(
            "-ERR The user executing the script can't run this command or subcommand script: x, on \
             @user_script:1.\r\n",
        )
        .detail;
        assert!(detail.contains("lacks a permission"), "{detail}");
    }

    #[test]
    fn arguments_that_the_server_repeats_are_left_out() {
        let detail =
            trouble("-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n").detail;
        assert!(detail.contains("'AUTH'") && !detail.contains("hunter2"), "{detail}");
    }
}

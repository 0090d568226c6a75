//! Kinds of node that the configuration defines: the `[nodes.NAME]` tables.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny},
};

use super::{
    exec::{ExecNode, Program, ProgramError},
    http::{HttpNode, UrlError, UrlTemplate},
    registry::Node,
    secret::{Environment, ExpandError, Mask, ProcessEnvironment, Secret, expand},
};

/// How many processes one kind of node may have.
const MOST_PROCESSES: usize = 1024;

/// A `[nodes.NAME]` table.
///
/// Its `Debug` and its serialized form don't give away what headers and variables hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", try_from = "Table")]
pub enum NodeDefinition {
    /// Another program.
    Exec(ExecDefinition),
    /// A web service.
    Http(HttpDefinition),
}

/// A kind of node that another program runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExecDefinition {
    /// The program and its arguments. The program is looked for on PATH, then in the folder of the
    /// configuration file; with a `/` in it only there. That folder is the working folder, too.
    pub command: Vec<String>,
    /// Whether a process answers many requests or one.
    pub mode: Mode,
    /// How many processes there are at most. Persistent: 1 unless set; per-job: no limit unless set.
    pub processes: Option<usize>,
    /// Variables for the program, beside those of this process. `${NAME}` is filled in.
    pub env: BTreeMap<String, Secret>,
    /// How long a process may take over a request before it is killed, from when it has it: the wait
    /// for a free process does not count. No limit unless set.
    #[serde(serialize_with = "write_duration")]
    pub timeout: Option<Duration>,
    /// Which large parts of the request are sent.
    pub send: Vec<Part>,
}

/// A kind of node that a web service runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HttpDefinition {
    /// The method; POST unless set. POST, PUT and PATCH carry the request as their body.
    pub method: Method,
    /// The address, with `{{ params.NAME }}` for values that the blueprint's node gives.
    pub url: UrlTemplate,
    /// Headers. `${NAME}` is filled in from the environment.
    pub headers: BTreeMap<String, Secret>,
    /// How long the exchange may take as a whole. Five minutes unless set.
    #[serde(serialize_with = "write_duration")]
    pub timeout: Option<Duration>,
    /// Which large parts of the request are sent.
    pub send: Vec<Part>,
}

/// Whether a process answers many requests or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One request after the other, until its stdin closes.
    #[default]
    Persistent,
    /// One request, then it exits.
    PerJob,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Without a body. Follows redirects.
    Get,
    /// With the request as its body.
    #[default]
    Post,
    /// With the request as its body.
    Put,
    /// With the request as its body.
    Patch,
    /// Without a body.
    Delete,
}

/// A part of the request that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The node's input.
    Input,
    /// The user's own keys.
    Context,
    /// The outputs so far.
    Outputs,
}

impl Part {
    /// What is sent unless the table says otherwise.
    pub const ALL: [Self; 3] = [Self::Input, Self::Context, Self::Outputs];
}

/// Why a kind of node can't be used as it is defined.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// A `${…}` could not be filled in.
    #[error("[nodes.{name}] {setting}: {source}")]
    Variable {
        /// The kind of node.
        name: String,
        /// The setting, such as `headers.Authorization`.
        setting: String,
        /// Why not.
        source: ExpandError,
    },
    /// The program can't be found.
    #[error("[nodes.{name}] command: {source}")]
    Program {
        /// The kind of node.
        name: String,
        /// Which program, and where it was looked for.
        source: ProgramError,
    },
    /// The address or a header can't be used, or no client can be made.
    #[error("[nodes.{name}] {setting}: {reason}")]
    Setting {
        /// The kind of node.
        name: String,
        /// The setting.
        setting: String,
        /// What is wrong.
        reason: String,
    },
}

impl NodeDefinition {
    /// Makes the kind of node called `name`. `base` is the folder of the configuration file.
    ///
    /// Starts nothing and connects to nothing; a program that is missing shows when the node runs
    /// (and in [`NodeDefinition::check`]).
    pub fn build(&self, name: &str, base: &Path) -> Result<Arc<dyn Node>, DefinitionError> {
        self.build_in(name, base, &ProcessEnvironment)
    }

    /// Looks whether the kind of node could run here, without running or calling anything: the
    /// variables are set, the program is there. Says what it found, without secrets.
    pub fn check(&self, name: &str, base: &Path) -> Result<String, DefinitionError> {
        self.build(name, base)?;
        match self {
            Self::Exec(definition) => {
                let program = definition.program(name, base, &ProcessEnvironment)?;
                let path = program
                    .locate()
                    .map_err(|source| DefinitionError::Program { name: name.to_owned(), source })?;
                Ok(path.display().to_string())
            }
            Self::Http(definition) => Ok(definition.url.to_string()),
        }
    }

    fn build_in(
        &self,
        name: &str,
        base: &Path,
        environment: &dyn Environment,
    ) -> Result<Arc<dyn Node>, DefinitionError> {
        Ok(match self {
            Self::Exec(definition) => {
                Arc::new(ExecNode::new(definition, definition.program(name, base, environment)?))
            }
            Self::Http(definition) => {
                let mut mask = Mask::default();
                let headers =
                    expand_all(name, "headers", &definition.headers, environment, &mut mask)?;
                let node = HttpNode::new(name, definition, &headers, mask).map_err(
                    |(setting, reason)| DefinitionError::Setting {
                        name: name.to_owned(),
                        setting,
                        reason,
                    },
                )?;
                Arc::new(node)
            }
        })
    }
}

impl ExecDefinition {
    fn program(
        &self,
        name: &str,
        base: &Path,
        environment: &dyn Environment,
    ) -> Result<Program, DefinitionError> {
        let mut mask = Mask::default();
        let env = expand_all(name, "env", &self.env, environment, &mut mask)?;
        Program::new(name, &self.command, env, base, mask).map_err(|reason| {
            DefinitionError::Setting {
                name: name.to_owned(),
                setting: "command".to_owned(),
                reason,
            }
        })
    }
}

/// Fills in the values of a table, named `table` in errors.
fn expand_all(
    name: &str,
    table: &str,
    values: &BTreeMap<String, Secret>,
    environment: &dyn Environment,
    mask: &mut Mask,
) -> Result<BTreeMap<String, Secret>, DefinitionError> {
    values
        .iter()
        .map(|(key, template)| {
            let value = expand(template, environment, mask).map_err(|source| {
                DefinitionError::Variable {
                    name: name.to_owned(),
                    setting: format!("{table}.{key}"),
                    source,
                }
            })?;
            Ok((key.clone(), value))
        })
        .collect()
}

/// A table as it is written, before its members are checked against its kind.
#[derive(Deserialize)]
struct Table {
    kind: Kind,
    command: Option<Vec<String>>,
    mode: Option<Mode>,
    processes: Option<usize>,
    env: Option<BTreeMap<String, Secret>>,
    method: Option<Method>,
    url: Option<String>,
    headers: Option<BTreeMap<String, Secret>>,
    #[serde(default, deserialize_with = "read_duration")]
    timeout: Option<Duration>,
    send: Option<Vec<Part>>,
    // serde gathers what is left in maps only.
    #[allow(clippy::zero_sized_map_values)]
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Exec,
    Http,
}

impl Kind {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Exec => &["kind", "command", "mode", "processes", "env", "timeout", "send"],
            Self::Http => &["kind", "method", "url", "headers", "timeout", "send"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Http => "http",
        }
    }
}

/// What is wrong with a `[nodes.NAME]` table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum TableError {
    #[error("unknown key `{key}` in a node of kind {kind}{hint}")]
    UnknownKey { key: String, kind: &'static str, hint: String },
    #[error("a node of kind {kind} needs `{key}`")]
    Missing { key: &'static str, kind: &'static str },
    #[error(
        "`command` is empty: give the program and its arguments, as [\"program\", \"argument\"]"
    )]
    EmptyCommand,
    #[error("`processes` must be from 1 to {MOST_PROCESSES}, not {0}")]
    Processes(usize),
    #[error("`url`: {0}")]
    Url(#[from] UrlError),
}

impl TryFrom<Table> for NodeDefinition {
    type Error = TableError;

    fn try_from(table: Table) -> Result<Self, TableError> {
        let kind = table.kind;
        if let Some(key) = table.first_foreign_key() {
            let hint = match nearest(&key, kind.keys()) {
                Some(near) => format!(": did you mean `{near}`?"),
                None => format!(": it has {}", kind.keys().join(", ")),
            };
            return Err(TableError::UnknownKey { key, kind: kind.name(), hint });
        }
        let missing = |key| TableError::Missing { key, kind: kind.name() };
        let send = table.send.unwrap_or_else(|| Part::ALL.to_vec());
        match kind {
            Kind::Exec => {
                let command = table.command.ok_or_else(|| missing("command"))?;
                if command.first().is_none_or(String::is_empty) {
                    return Err(TableError::EmptyCommand);
                }
                if let Some(count) = table.processes.filter(|n| !(1..=MOST_PROCESSES).contains(n)) {
                    return Err(TableError::Processes(count));
                }
                Ok(Self::Exec(ExecDefinition {
                    command,
                    mode: table.mode.unwrap_or_default(),
                    processes: table.processes,
                    env: table.env.unwrap_or_default(),
                    timeout: table.timeout,
                    send,
                }))
            }
            Kind::Http => Ok(Self::Http(HttpDefinition {
                method: table.method.unwrap_or_default(),
                url: UrlTemplate::parse(&table.url.ok_or_else(|| missing("url"))?)?,
                headers: table.headers.unwrap_or_default(),
                timeout: table.timeout,
                send,
            })),
        }
    }
}

impl Table {
    /// A key that a node of this kind does not have.
    fn first_foreign_key(&self) -> Option<String> {
        let given = [
            ("command", self.command.is_some()),
            ("mode", self.mode.is_some()),
            ("processes", self.processes.is_some()),
            ("env", self.env.is_some()),
            ("method", self.method.is_some()),
            ("url", self.url.is_some()),
            ("headers", self.headers.is_some()),
        ];
        let of_the_other_kind = given
            .into_iter()
            .filter(|(key, given)| *given && !self.kind.keys().contains(key))
            .map(|(key, _)| key.to_owned());
        self.unknown.keys().cloned().chain(of_the_other_kind).next()
    }
}

fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let key = key.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&key, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

fn read_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    match humantime::parse_duration(&text) {
        Ok(Duration::ZERO) => Err(de::Error::custom("a timeout must be longer than nothing")),
        Ok(duration) => Ok(Some(duration)),
        Err(error) => Err(de::Error::custom(format!(
            "{text:?} is not a time: write it as \"30s\", \"500ms\" or \"1m 30s\" ({error})"
        ))),
    }
}

// By reference, as serde hands it over.
#[allow(clippy::ref_option)]
fn write_duration<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    value.map(|duration| humantime::format_duration(duration).to_string()).serialize(to)
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;

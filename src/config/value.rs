//! One value of the configuration, as written, and the checks that turn it into what was meant.

use std::{
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{duration::parse_duration, environment::Environment, model::Backend};

/// A value as written: in a file it has a type, in a variable or a flag it is text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// From a file.
    Toml(&'a toml::Value),
    /// From a variable or a flag.
    Text(&'a str),
}

/// A value with what is needed to understand it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    /// The value.
    pub(super) raw: Raw<'a>,
    /// Relative paths start here.
    pub(super) folder: &'a Path,
    /// For the home folder.
    pub(super) environment: &'a Environment,
}

/// Why a value can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What it must be.
    pub(super) expected: String,
    /// What it is.
    pub(super) found: String,
}

/// The longest part of a wrong value that an error repeats, in characters.
const SHOWN: usize = 40;

impl Written<'_> {
    fn wrong(&self, expected: impl Into<String>) -> Wrong {
        let found = match self.raw {
            Raw::Text(text) => quote(text),
            Raw::Toml(toml::Value::String(text)) => quote(text),
            Raw::Toml(toml::Value::Array(_)) => "a list".to_owned(),
            Raw::Toml(toml::Value::Table(_)) => "a table".to_owned(),
            Raw::Toml(value) => value.to_string(),
        };
        Wrong { expected: expected.into(), found }
    }

    fn as_text(&self) -> Option<&str> {
        match self.raw {
            Raw::Text(text) => Some(text),
            Raw::Toml(value) => value.as_str(),
        }
    }

    fn as_whole_number(&self) -> Option<i64> {
        match self.raw {
            Raw::Text(text) => text.trim().parse().ok(),
            Raw::Toml(value) => value.as_integer(),
        }
    }

    /// A whole number within limits.
    pub(super) fn count(&self, limits: RangeInclusive<u32>) -> Result<u32, Wrong> {
        self.as_whole_number()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| limits.contains(number))
            .ok_or_else(|| self.wrong(between("a whole number", &limits)))
    }

    /// A number of seconds within limits, or a text such as `"5m"`.
    pub(super) fn seconds(&self, limits: RangeInclusive<u64>) -> Result<Duration, Wrong> {
        let duration = match self.as_whole_number() {
            Some(number) => u64::try_from(number).ok().map(Duration::from_secs),
            None => self.as_text().and_then(|text| parse_duration(text).ok()),
        };
        let (least, most) =
            (Duration::from_secs(*limits.start()), Duration::from_secs(*limits.end()));
        duration.filter(|duration| (least..=most).contains(duration)).ok_or_else(|| {
            self.wrong(format!("{} (or a text such as \"30s\")", between("seconds", &limits)))
        })
    }

    /// Yes or no.
    pub(super) fn switch(&self) -> Result<bool, Wrong> {
        let switch = match self.raw {
            Raw::Toml(value) => value.as_bool(),
            Raw::Text("true" | "1") => Some(true),
            Raw::Text("false" | "0") => Some(false),
            Raw::Text(_) => None,
        };
        switch.ok_or_else(|| self.wrong("true or false"))
    }

    /// A text that `check` accepts.
    fn text_that(&self, expected: &str, check: impl Fn(&str) -> bool) -> Result<String, Wrong> {
        self.as_text()
            .filter(|text| check(text))
            .map(str::to_owned)
            .ok_or_else(|| self.wrong(expected))
    }

    /// A name that Azure Storage takes for a queue, with room for `-poison` behind it.
    pub(super) fn queue_name(&self) -> Result<String, Wrong> {
        self.text_that(
            "a queue name: 3 to 56 lower-case letters, digits and single hyphens, \
             the first and last no hyphen",
            |text| {
                (3..=56).contains(&text.len())
                    && text
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                    && !text.starts_with('-')
                    && !text.ends_with('-')
                    && !text.contains("--")
            },
        )
    }

    /// A name that Cosmos DB takes for a database or a container.
    pub(super) fn cosmos_name(&self) -> Result<String, Wrong> {
        self.text_that(
            "a name of 1 to 255 characters without / \\ ? # and control characters",
            |text| {
                (1..=255).contains(&text.chars().count())
                    && !text.contains(['/', '\\', '?', '#'])
                    && !text.contains(char::is_control)
                    && !text.ends_with(' ')
            },
        )
    }

    /// A name for a worker.
    pub(super) fn worker_name(&self) -> Result<String, Wrong> {
        self.text_that(
            "a name of 1 to 128 characters without spaces and control characters",
            |text| {
                (1..=128).contains(&text.chars().count())
                    && !text.contains(|c: char| c.is_whitespace() || c.is_control())
            },
        )
    }

    /// A name for a theme: the name of its file, without a path.
    pub(super) fn theme_name(&self) -> Result<String, Wrong> {
        self.text_that("the name of a theme, such as \"default\"", |text| {
            !text.is_empty()
                && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '))
        })
    }

    /// A backend.
    pub(super) fn backend(&self) -> Result<Backend, Wrong> {
        self.as_text()
            .and_then(|text| Backend::ALL.into_iter().find(|backend| backend.as_str() == text))
            .ok_or_else(|| self.wrong("\"sqlite\", \"azure\" or \"memory\""))
    }

    /// A path.
    pub(super) fn path(&self) -> Result<PathBuf, Wrong> {
        self.as_text()
            .and_then(|text| self.resolve(text))
            .ok_or_else(|| self.wrong("the path of a file"))
    }

    /// One or more paths: a list in a file, separated as in `PATH` elsewhere.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, Wrong> {
        let paths: Option<Vec<PathBuf>> = match self.raw {
            Raw::Text(text) => std::env::split_paths(text)
                .map(|path| path.to_str().and_then(|path| self.resolve(path)))
                .collect(),
            Raw::Toml(toml::Value::Array(items)) => {
                items.iter().map(|item| item.as_str().and_then(|path| self.resolve(path))).collect()
            }
            Raw::Toml(_) => None,
        };
        paths.ok_or_else(|| self.wrong("a list of folders or files, such as [\"blueprints\"]"))
    }

    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let usable = !path.is_empty() && !path.contains('\0');
        usable.then(|| self.environment.resolve(self.folder, path))
    }
}

fn between<T: Display>(what: &str, limits: &RangeInclusive<T>) -> String {
    format!("{what} from {} to {}", limits.start(), limits.end())
}

fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

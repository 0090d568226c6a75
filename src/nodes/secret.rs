//! Values that must not be seen: in settings, and in what is said about a failure.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Shorter values are not looked for in texts: they would be found everywhere.
const SHORTEST_MASKED: usize = 8;

/// How much of a text from outside an error repeats, in characters.
const EXCERPT: usize = 300;

/// A text that is never shown: neither `Debug` nor serialization give it away.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Not for logs, errors or the screen.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Why the `${…}` of a text could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// There is no such variable.
    #[error("the environment variable {0} is not set: set it, or take ${{{0}}} out")]
    Unset(String),
    /// The variable's value is not text.
    #[error("the environment variable {0} is not valid UTF-8")]
    NotText(String),
    /// `${` without `}`, or something else than a name between them.
    #[error("write a variable as ${{NAME}}, and a literal ${{ as $${{")]
    Malformed,
}

/// Where variables come from.
pub(super) trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Result<String, ExpandError>;
}

/// The environment of this process.
pub(super) struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Result<String, ExpandError> {
        std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => ExpandError::Unset(name.to_owned()),
            std::env::VarError::NotUnicode(_) => ExpandError::NotText(name.to_owned()),
        })
    }
}

impl Environment for BTreeMap<&str, &str> {
    fn variable(&self, name: &str) -> Result<String, ExpandError> {
        self.get(name)
            .map(|value| (*value).to_owned())
            .ok_or_else(|| ExpandError::Unset(name.to_owned()))
    }
}

/// Fills in each `${NAME}` from the environment, and notes the values in `mask`. `$${` stands for
/// `${`.
pub(super) fn expand(
    template: &Secret,
    environment: &dyn Environment,
    mask: &mut Mask,
) -> Result<Secret, ExpandError> {
    let mut rest = template.expose();
    let mut text = String::with_capacity(rest.len());
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            text.push_str(before);
            text.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        text.push_str(&rest[..at]);
        let (name, after) = rest[at + 2..].split_once('}').ok_or(ExpandError::Malformed)?;
        if !is_variable_name(name) {
            return Err(ExpandError::Malformed);
        }
        let value = environment.variable(name)?;
        mask.add(&value);
        text.push_str(&value);
        rest = after;
    }
    text.push_str(rest);
    Ok(Secret(text))
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Takes known secrets out of texts that come from outside, where a program or a server may repeat
/// what it was given.
#[derive(Clone, Default)]
pub(super) struct Mask {
    /// Longest first, so that no part of one is left by another.
    values: Vec<String>,
}

impl Mask {
    /// Also masks this value, line by line (of a key in several lines, too, each must not be seen).
    /// Lines of less than 8 bytes are left.
    pub(super) fn add(&mut self, value: &str) {
        for line in value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_MASKED) {
            if !self.values.iter().any(|known| known == line) {
                self.values.push(line.to_owned());
            }
        }
        self.values.sort_by_key(|known| std::cmp::Reverse(known.len()));
    }

    /// The beginning of a text from outside, fit to be shown, without the secrets.
    pub(super) fn excerpt(&self, text: &str) -> String {
        // Masked before it is cut, which could leave half a secret.
        let beginning: String = text.chars().take(EXCERPT * 8).collect();
        printable(&self.apply(beginning.trim_end_matches(['\r', '\n'])), EXCERPT)
    }

    /// The text without the secrets.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = masked.replace(value.as_str(), MASK);
            }
        }
        masked
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} values)", self.values.len())
    }
}

/// A text from outside, fit for a line on a terminal: control characters and those that change the
/// direction of writing are shown as escapes, and it is cut after `limit` characters.
pub(super) fn printable(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit * 4));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            shown.push('…');
            break;
        }
        if c.is_control() || changes_layout(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn changes_layout(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn expanded(template: &str) -> Result<String, ExpandError> {
        let environment = BTreeMap::from([("TOKEN", "hunter2-hunter2"), ("EMPTY", "")]);
        expand(&Secret::new(template), &environment, &mut Mask::default())
            .map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(expanded("Bearer ${TOKEN}").unwrap(), "Bearer hunter2-hunter2");
        assert_eq!(
            expanded("${TOKEN}${EMPTY}/${TOKEN}").unwrap(),
            "hunter2-hunter2/hunter2-hunter2"
        );
        assert_eq!(expanded("$5 {x} $TOKEN").unwrap(), "$5 {x} $TOKEN");
        assert_eq!(expanded("$${TOKEN}").unwrap(), "${TOKEN}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = expanded("${TOKEN}${NOT_SET}").unwrap_err();
        assert_eq!(error, ExpandError::Unset("NOT_SET".to_owned()));
        assert_eq!(
            error.to_string(),
            "the environment variable NOT_SET is not set: set it, or take ${NOT_SET} out"
        );
    }

    #[test]
    fn malformed_variables_are_refused() {
        for template in ["${", "${}", "${TOKEN", "${a b}", "${1A}"] {
            assert_eq!(expanded(template), Err(ExpandError::Malformed), "{template}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2-hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        let mut mask = Mask::default();
        mask.add("hunter2-hunter2");
        mask.add("Bearer hunter2-hunter2");
        mask.add("short");
        assert_eq!(
            mask.apply("got Bearer hunter2-hunter2; hunter2-hunter2; short"),
            "got ***; ***; short"
        );
        assert!(!format!("{mask:?}").contains("hunter2"));
        mask.add("-----BEGIN KEY-----\nMIIEvQIBADAN\n==");
        assert_eq!(mask.apply("key: MIIEvQIBADAN"), "key: ***");
        let long = format!("{}hunter2-hunter2", "x".repeat(EXCERPT - 4));
        assert_eq!(mask.excerpt(&long), format!("{}***", "x".repeat(EXCERPT - 4)));
    }

    #[test]
    fn control_characters_are_shown_as_escapes() {
        assert_eq!(printable("a\u{1b}[31mb\tü\u{202e}", 100), "a\\u{1b}[31mb\\tü\\u{202e}");
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}

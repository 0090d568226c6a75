//! Takes secrets out of what is recorded: those that are configured, wherever they appear; values
//! whose names say that they are secret; and texts that have the shape of one.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};
use serde_json::Value;

use super::names::{is_count, says_secret};

/// What stands in for a secret.
pub(super) const MASK: &str = "***";

/// Longer texts are cut, after they were masked.
const TEXT_LIMIT: usize = 4 * 1024;

/// How often a text may be packed in another: JSON in base64 in JSON in base64, and so on.
const DEPTH: usize = 8;

/// Shorter secrets are only looked for as words of their own; still shorter ones are left, since
/// they would be found everywhere.
const LONG_SECRET: usize = 8;
const SHORTEST_SECRET: usize = 4;

/// Knows the secrets of this process, and how secrets look. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Masker {
    /// Longest first, so that no part of one is left by another.
    values: Arc<[String]>,
}

impl Masker {
    /// Masks these values wherever they appear, beside everything that looks like a secret. Of a
    /// connection string its parts, too.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut known = BTreeSet::new();
        for secret in secrets {
            for part in parts(&secret) {
                let encoded = utf8_percent_encode(part, NON_ALPHANUMERIC).to_string();
                known.insert(encoded);
                known.insert(part.to_owned());
            }
        }
        let mut values: Vec<String> =
            known.into_iter().filter(|value| value.len() >= SHORTEST_SECRET).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values: values.into() }
    }

    /// Masks and cuts everything in a value.
    pub(super) fn value(&self, value: &mut Value) {
        self.value_within(value, 0);
    }

    fn value_within(&self, value: &mut Value, depth: usize) -> bool {
        match value {
            Value::String(text) => {
                let masked = match self.text_within(text, depth) {
                    Cow::Owned(masked) => Some(masked),
                    Cow::Borrowed(_) => None,
                };
                let changed = masked.is_some();
                if let Some(masked) = masked {
                    *text = masked;
                }
                cut(text) | changed
            }
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |changed, item| self.value_within(item, depth) | changed),
            Value::Object(members) => {
                let mut changed = false;
                // A name can be a secret itself where objects are used as sets.
                if members.keys().any(|name| matches!(self.text_within(name, depth), Cow::Owned(_)))
                {
                    *members = std::mem::take(members)
                        .into_iter()
                        .map(|(name, item)| (self.text_within(&name, depth).into_owned(), item))
                        .collect();
                    changed = true;
                }
                for (name, item) in members {
                    if says_secret(name) && !is_count(name, item) && has_content(item) {
                        *item = Value::from(MASK);
                        changed = true;
                    } else {
                        changed |= self.value_within(item, depth);
                    }
                }
                changed
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// A text without secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.text_within(text, 0)
    }

    fn text_within<'a>(&self, text: &'a str, depth: usize) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for value in self.values.iter() {
            if masked.contains(value.as_str()) {
                replace(&mut masked, |text| without(text, value));
            }
        }
        if depth >= DEPTH || !may_hold_one(&masked) {
            return masked;
        }
        if masked.trim_start().starts_with(['{', '['])
            && let Ok(mut value) = serde_json::from_str::<Value>(&masked)
        {
            // JSON is masked by its names; what is not changed by that stays as it is written.
            if self.value_within(&mut value, depth + 1) {
                return Cow::Owned(value.to_string());
            }
            return masked;
        }
        // A name alone, as most texts are, has nothing of what these look for.
        if masked.contains(['=', ':', ' ', '\n', '\t']) {
            replace(&mut masked, |text| PEM.replace_all(text, MASK));
            replace(&mut masked, |text| DATABASE_URL.replace_all(text, "${1}***@"));
            replace(&mut masked, |text| URL.replace_all(text, "${1}***@"));
            replace(&mut masked, named);
            replace(&mut masked, |text| FLAG.replace_all(text, "${1}***"));
            replace(&mut masked, |text| SCHEME.replace_all(text, scheme));
            replace(&mut masked, |text| QUERY.replace_all(text, "${1}***"));
        }
        replace(&mut masked, |text| SHAPE.replace_all(text, MASK));
        replace(&mut masked, |text| JWT.replace_all(text, MASK));
        replace(&mut masked, |text| {
            PACKED.replace_all(text, |found: &Captures<'_>| self.packed(&found[0], depth))
        });
        masked
    }

    /// A text in base64 with its secrets taken out; something that has the length of a key is one.
    fn packed(&self, text: &str, depth: usize) -> String {
        let Some((bytes, encoder)) = unpack(text) else { return text.to_owned() };
        match String::from_utf8(bytes) {
            Ok(inner) => match self.text_within(&inner, depth + 1) {
                Cow::Owned(masked) => encoder.encode(masked),
                Cow::Borrowed(_) => text.to_owned(),
            },
            Err(error) => {
                let bytes = error.into_bytes();
                let key = text.ends_with('=') && matches!(bytes.len(), 32 | 64);
                if key {
                    return MASK.to_owned();
                }
                // A body that was cut in the middle of a character.
                let inner = String::from_utf8_lossy(&bytes);
                let readable =
                    inner.chars().filter(|c| !c.is_control() && *c != '\u{fffd}').count();
                if readable + 8 < inner.chars().count() {
                    return text.to_owned();
                }
                match self.text_within(&inner, depth + 1) {
                    Cow::Owned(_) => MASK.to_owned(),
                    Cow::Borrowed(_) => text.to_owned(),
                }
            }
        }
    }
}

/// How many secrets it knows, and none of them.
impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masker({} values)", self.values.len())
    }
}

/// A secret, its lines, and what is secret in it if it is a connection string.
fn parts(secret: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = secret.lines().map(str::trim).collect();
    for found in MEMBER.captures_iter(secret) {
        if let (Some(name), Some(value)) = (found.get(1), found.get(2))
            && says_secret(name.as_str())
        {
            parts.push(value.as_str());
        }
    }
    if let Some((scheme, rest)) = secret.split_once("://")
        && let Some((user, _)) = rest.rsplit_once('@')
        && !scheme.contains('=')
    {
        parts.push(user.split_once(':').map_or(user, |(_, password)| password));
    }
    parts
}

/// Whether there is anything that could be given away.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty() && text != MASK,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// Cuts a text that is too long. Returns whether it was.
fn cut(text: &mut String) -> bool {
    if text.len() <= TEXT_LIMIT {
        return false;
    }
    let whole = text.len();
    text.truncate(text.floor_char_boundary(TEXT_LIMIT));
    // Writing to a String can't fail.
    let _ = write!(text, "… ({whole} bytes)");
    true
}

/// A text without a value: a short one only where it is a word of its own.
fn without<'a>(text: &'a str, value: &str) -> Cow<'a, str> {
    if value.len() >= LONG_SECRET {
        return Cow::Owned(text.replace(value, MASK));
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut masked = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(value) {
        let end = at + value.len();
        if is_word(text[..at].chars().next_back()) || is_word(text[end..].chars().next()) {
            continue;
        }
        masked.push_str(&text[done..at]);
        masked.push_str(MASK);
        done = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

/// Replaces a text by what a rule makes of it, if that is something else.
fn replace(text: &mut Cow<'_, str>, rule: impl for<'b> FnOnce(&'b str) -> Cow<'b, str>) {
    let changed = match rule(text) {
        Cow::Owned(changed) if *changed != **text => Some(changed),
        _ => None,
    };
    if let Some(changed) = changed {
        *text = Cow::Owned(changed);
    }
}

/// Whether a text is worth looking at closely. Most are short names.
fn may_hold_one(text: &str) -> bool {
    text.len() >= 16 || text.contains(['=', ':', ' '])
}

fn pattern(text: &str) -> Regex {
    // A test uses each of them: they are all well formed.
    #[allow(clippy::expect_used)]
    Regex::new(text).expect("a pattern of this file")
}

static PEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
    )
});

/// Here the last @ counts: a password may hold a slash that was not escaped.
static DATABASE_URL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b((?:rediss?|amqps?|mongodb(?:\+srv)?|postgres(?:ql)?|mysql|mssql|sqlserver|nats|s?ftp|smtps?|ssh)://)[^\s"'<>]*@"#,
    )
});

static URL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\b([a-z][a-z0-9+.\-]*://)[^\s"'<>/?\#@]*@"#));

/// A name with what follows it: perhaps quotes, then a colon or an equals sign, then its value.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"([A-Za-z][A-Za-z0-9_.\-]*(?:[ ](?i:key|string|token|signature|password|secret))?)(\\*["']?\s{0,3}(?:=>|[:=])\s{0,3}(\\*["'])?)"#,
    )
});

/// A member of a connection string.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"([A-Za-z][A-Za-z0-9_ ]*)=([^;,&\s]+)"));

static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(--[a-z\-]*(?:password|passwd|token|secret|api-?key|credential)[a-z\-]*[ ]+)[^\s\-][^\s]*",
    )
});

static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(bearer|basic|digest|negotiate|dpop|apikey|sharedkey(?:lite)?|sharedaccesssignature)(\s+)([A-Za-z0-9._~+/=:%&\-]{6,})",
    )
});

/// What some services' keys look like.
static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|xox[abeprs]-[A-Za-z0-9\-]{8,}|sk-[A-Za-z0-9_\-]{16,}|(?:AKIA|ASIA)[0-9A-Z]{12,}|AIza[A-Za-z0-9_\-]{30,}|glpat-[A-Za-z0-9_\-]{16,}|npm_\w{30,})",
    )
});

static JWT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\beyJ[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]+){1,4}"));

static QUERY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)([?&](?:key|code)=)[^&\s"'#<>]{6,}"#));

/// What could be base64.
static PACKED: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_\-]{16,}={0,2}"));

/// Masks the values whose names say that they are secret: `password=x`, `"token": "x"`.
fn named(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = NAME.captures_at(text, from) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { break };
        from = whole.end();
        if !says_secret(name.as_str()) {
            // The value may be the name of another: `error=password: x`.
            from = name.end() + 1;
            continue;
        }
        let value = &text[whole.end()..];
        let length = match found.get(3) {
            Some(quote) => quoted(value, quote.as_str()),
            None => unquoted(name.as_str(), value),
        };
        if length == 0 || value[..length] == *MASK {
            continue;
        }
        masked.push_str(&text[done..whole.end()]);
        masked.push_str(MASK);
        done = whole.end() + length;
        from = done;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

/// How long a value is that is in such quotes, which may be escaped ones.
fn quoted(value: &str, quote: &str) -> usize {
    let mut from = 0;
    while let Some(at) = value[from..].find(quote) {
        let end = from + at;
        let escapes = value[..end].len() - value[..end].trim_end_matches('\\').len();
        // With a plain quote, one that is escaped does not end it.
        if quote.len() > 1 || escapes.is_multiple_of(2) {
            return end;
        }
        from = end + quote.len();
    }
    value.len()
}

/// How long a value is that has no quotes.
fn unquoted(name: &str, value: &str) -> usize {
    let name = name.to_ascii_lowercase();
    let line = value.find(['\n', '\r', '"', '\'']).unwrap_or(value.len());
    if name.contains("cookie") || name.ends_with("authorization") {
        return line;
    }
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, ';' | '"' | '\'' | '<' | '>' | '|' | ')' | ']' | '}')
            || (matches!(c, '&' | ',') && !name.contains("signature"))
    };
    value.find(ends).unwrap_or(value.len())
}

/// What stands behind `Bearer` is a credential; behind the others what looks like one.
fn scheme(found: &Captures<'_>) -> String {
    let credential = &found[3];
    let bearer = found[1].eq_ignore_ascii_case("bearer");
    let looks_like_one = credential.contains(['=', ':', '+', '/'])
        || credential.chars().any(|c| c.is_ascii_digit())
        || credential.chars().skip(1).any(|c| c.is_ascii_uppercase());
    if bearer || looks_like_one {
        format!("{}{}{MASK}", &found[1], &found[2])
    } else {
        found[0].to_owned()
    }
}

/// What a text in base64 holds, and how to write it so again. One that was cut is read as far as
/// it goes.
fn unpack(text: &str) -> Option<(Vec<u8>, GeneralPurpose)> {
    const LENIENT: GeneralPurposeConfig = general_purpose::GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let padded = text.ends_with('=') || text.len().is_multiple_of(4);
    let engine = GeneralPurpose::new(alphabet, LENIENT.with_encode_padding(padded));
    let whole = text.trim_end_matches('=');
    let usable = if whole.len() % 4 == 1 { &whole[..whole.len() - 1] } else { whole };
    Some((engine.decode(usable).ok()?, engine))
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;

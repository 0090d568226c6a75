//! How long a sleep node sleeps.

use std::time::Duration;

use serde_json::Value;

/// The longest sleep: a hundred years. Anything beyond is a slip of the pen, and would overflow
/// the times it is added to.
const LONGEST: Duration = Duration::from_secs(100 * 365 * DAY);
const DAY: u64 = 24 * 3600;

/// Why a value is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Nothing is given.
    #[error(
        "a duration is missing: give milliseconds (1500) or text such as \"30s\", \"5m\", \"2h\" or \"1d\""
    )]
    Missing,
    /// Less than nothing.
    #[error("a duration can't be negative: {0}")]
    Negative(String),
    /// Neither a number nor digits and a unit.
    #[error(
        "{0} is not a duration: give milliseconds (1500) or text such as \"30s\", \"5m\", \"2h\" or \"1d\""
    )]
    NotADuration(String),
    /// More than a hundred years.
    #[error("{0} is too long: a duration is a hundred years at most")]
    TooLong(String),
}

/// Reads a duration: a number of milliseconds, fractions allowed, or a text of digits and one of
/// the units `s`, `m`, `h` and `d`.
///
/// # Errors
///
/// If the value is anything else, negative, or above a hundred years.
pub fn parse_duration(value: &Value) -> Result<Duration, BadDuration> {
    match value {
        Value::Null => Err(BadDuration::Missing),
        Value::Number(number) => {
            let milliseconds = number.as_f64().unwrap_or(f64::NAN);
            if milliseconds < 0.0 {
                return Err(BadDuration::Negative(number.to_string()));
            }
            Duration::try_from_secs_f64(milliseconds / 1000.0)
                .ok()
                .filter(|duration| *duration <= LONGEST)
                .ok_or_else(|| BadDuration::TooLong(number.to_string()))
        }
        Value::String(text) => parse_text(text),
        other => Err(BadDuration::NotADuration(shortened(&other.to_string()))),
    }
}

fn parse_text(text: &str) -> Result<Duration, BadDuration> {
    let bad = || {
        let shown = shortened(&format!("{text:?}"));
        match text.strip_prefix('-').map(parse_text) {
            Some(Ok(_)) => BadDuration::Negative(shown),
            _ => BadDuration::NotADuration(shown),
        }
    };
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => DAY,
        _ => return Err(bad()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    // Only digits, so what does not fit is too large.
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .map(Duration::from_secs)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| BadDuration::TooLong(shortened(&format!("{text:?}"))))
}

/// A text that fits into a message.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    text.chars().take(39).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_milliseconds() {
        assert_eq!(parse_duration(&json!(0)), Ok(Duration::ZERO));
        assert_eq!(parse_duration(&json!(1500)), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration(&json!(0.5)), Ok(Duration::from_micros(500)));
        assert_eq!(parse_duration(&json!(-1)), Err(BadDuration::Negative("-1".into())));
        assert!(matches!(parse_duration(&json!(1e300)), Err(BadDuration::TooLong(_))));
    }

    #[test]
    fn text_is_digits_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("45s", 45), ("2m", 120), ("1h", 3600), ("3d", 259_200)]
        {
            assert_eq!(parse_duration(&json!(text)), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "5", "1.5h", "5 s", " 5s", "5S", "5ms", "٣s", "é", "--5s", "-s"] {
            assert!(
                matches!(parse_duration(&json!(text)), Err(BadDuration::NotADuration(_))),
                "{text}"
            );
        }
        assert!(matches!(parse_duration(&json!("-5s")), Err(BadDuration::Negative(_))));
        for text in ["99999999999999999999s", "36501d"] {
            assert!(matches!(parse_duration(&json!(text)), Err(BadDuration::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_duration() {
        assert_eq!(parse_duration(&json!(null)), Err(BadDuration::Missing));
        for value in [json!(true), json!([1]), json!({ "s": 1 })] {
            assert!(matches!(parse_duration(&value), Err(BadDuration::NotADuration(_))));
        }
    }

    #[test]
    fn messages_stay_short() {
        let message = parse_duration(&json!("x".repeat(10_000))).unwrap_err().to_string();
        assert!(message.len() < 200, "{message}");
    }
}

//! Durations as people write them.

use std::time::Duration;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a duration: write a number with a unit, such as 500ms, 30s, 5m or 1h 30m")]
pub struct BadDuration;

/// Reads a duration such as `500ms`, `30s`, `5m` or `1h 30m`. A number without a unit is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|_| BadDuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_units_and_plain_seconds() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration(" 5m "), Ok(Duration::from_mins(5)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn refuses_everything_else() {
        for text in ["", "-1", "-1s", "1.5", "soon", "10 parsecs", "99999999999999999999999s"] {
            assert_eq!(parse_duration(text), Err(BadDuration), "{text:?}");
        }
    }
}

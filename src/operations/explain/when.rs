//! Times as evidence has them: what the clock says then, and how far off that is.

use std::time::Duration;

use crate::engine::Timestamp;

/// From here on a time of day needs its date.
const SAME_DAY: Duration = Duration::from_hours(12);

/// A time that has passed: `14:02:11 UTC (3m12 ago)`.
pub(super) fn past(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({} ago)", clock(now, at), span(now.since(at)))
}

/// A time to come: `14:05:00 UTC (in 43s)`; one that has passed, as that.
pub(super) fn ahead(now: Timestamp, at: Timestamp) -> String {
    if at <= now {
        return past(now, at);
    }
    format!("{} (in {})", clock(now, at), span(now.until(at)))
}

/// What the clock says at a time, with the date where it is not about now.
pub(super) fn clock(now: Timestamp, at: Timestamp) -> String {
    let Ok(time) = jiff::Timestamp::from_millisecond(at.millis()) else { return at.to_string() };
    if now.since(at).max(now.until(at)) < SAME_DAY {
        time.strftime("%H:%M:%S UTC").to_string()
    } else {
        time.strftime("%Y-%m-%d %H:%M UTC").to_string()
    }
}

/// A length of time in at most two units: `12s`, `5m03`, `2h14`, `3d4h`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_today_need_no_date() {
        let now = Timestamp::from_seconds(1_750_000_000);
        let at = |seconds: i64| Timestamp::from_seconds(1_750_000_000 + seconds);
        assert_eq!(past(now, at(-192)), "15:03:28 UTC (3m12 ago)");
        assert_eq!(ahead(now, at(43)), "15:07:23 UTC (in 43s)");
        assert_eq!(ahead(now, at(-5)), "15:06:35 UTC (5s ago)");
        assert_eq!(past(now, at(-3 * 86_400 - 7_200)), "2025-06-12 13:06 UTC (3d2h ago)");
        assert_eq!(ahead(now, at(86_400)), "2025-06-16 15:06 UTC (in 1d0h)");
    }
}

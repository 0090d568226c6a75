//! Arguments of recording and replaying.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;
use jiff::{civil, tz::TimeZone};

use crate::{
    config::parse_duration,
    engine::Timestamp,
    recording::{RecordOptions, Speed},
};

/// What is recorded where no command is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct RecordArgs {
    /// Record what is seen into FILE, secrets masked; see it again with `replay FILE`. A recording of
    /// the same cluster that is there is continued, anything else is left alone
    #[arg(long, value_name = "FILE", help_heading = "Without a command")]
    pub record: Option<PathBuf>,
    /// The most the recording may take; beyond that its oldest part goes [default: 64MB]
    #[arg(long, value_name = "SIZE", help_heading = "Without a command", requires = "record",
          value_parser = size)]
    pub record_limit: Option<u64>,
}

impl RecordArgs {
    /// How a recording is made, if one is.
    pub fn options(&self) -> Option<RecordOptions> {
        let limit = self.record_limit.unwrap_or(RecordOptions::DEFAULT_LIMIT);
        Some(RecordOptions { file: self.record.clone()?, limit })
    }
}

/// Arguments of `replay`.
#[derive(Debug, ClapArgs)]
pub struct RecordingArgs {
    /// The recording
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Begin at this moment and hold it there: 14:05, 14:05:30, a time such as 2026-05-01T14:05:30Z,
    /// +5m from the start or -30s from the end
    #[arg(long, value_name = "TIME", value_parser = moment, allow_hyphen_values = true)]
    pub at: Option<At>,
    /// Play so many times as fast as it was
    #[arg(long, value_name = "N", value_parser = speed)]
    pub speed: Option<Speed>,
}

/// A moment of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A point in time.
    Time(Timestamp),
    /// A time of day, here.
    TimeOfDay(civil::Time),
    /// So long after the start.
    AfterStart(Duration),
    /// So long before the end.
    BeforeEnd(Duration),
}

impl At {
    /// The moment in a recording. A time of day is the first one from the start on.
    pub fn within(&self, start: Timestamp, end: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Time(at) => Some(*at),
            Self::AfterStart(after) => Some(start + *after),
            Self::BeforeEnd(before) => {
                let millis = i64::try_from(before.as_millis()).ok()?;
                Some(Timestamp::from_millis(end.millis().checked_sub(millis)?))
            }
            Self::TimeOfDay(time) => {
                let from = jiff::Timestamp::from_millisecond(start.millis()).ok()?;
                let day = from.to_zoned(zone.clone()).date();
                let on = |day: civil::Date| {
                    let zoned = day.to_datetime(*time).to_zoned(zone.clone()).ok()?;
                    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
                };
                // Without seconds the minute is meant, in which the recording may start.
                let start = Timestamp::from_seconds(start.seconds().div_euclid(60) * 60);
                on(day).filter(|at| *at >= start).or_else(|| on(day.tomorrow().ok()?))
            }
        }
    }
}

/// Reads a moment.
fn moment(text: &str) -> Result<At, String> {
    let duration = |text: &str| parse_duration(text).map_err(|error| error.to_string());
    if let Some(after) = text.strip_prefix('+') {
        return duration(after).map(At::AfterStart);
    }
    if let Some(before) = text.strip_prefix('-') {
        return duration(before).map(At::BeforeEnd);
    }
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Ok(At::Time(at));
    }
    let time = text.parse::<civil::Time>().map(At::TimeOfDay);
    time.map_err(|_| "use 14:05, 2026-05-01T14:05:30Z, +5m or -30s".to_owned())
}

/// Reads a speed.
fn speed(text: &str) -> Result<Speed, String> {
    let times = text.trim_end_matches(['x', '×']).parse().ok();
    times.and_then(Speed::new).ok_or_else(|| {
        format!("use a number from {} to {}", Speed::RANGE.start(), Speed::RANGE.end())
    })
}

/// Reads a size in bytes, such as `64MB`.
fn size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "kib" => 1_024,
        "m" | "mb" => 1_000_000,
        "mib" => 1_048_576,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1_073_741_824,
        _ => 0,
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match bytes {
        Some(bytes) if bytes >= RecordOptions::LEAST_LIMIT => Ok(bytes),
        Some(_) if factor > 0 => Err("too small for a recording: use at least 1MB".to_owned()),
        _ => Err("use a number and a unit, such as 500KB, 64MB or 1GB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("64MB"), Ok(64_000_000));
        assert_eq!(size("2 MiB"), Ok(2_097_152));
        assert_eq!(size("1g"), Ok(1_000_000_000));
        assert!(size("1").unwrap_err().contains("at least 1MB"));
        for text in ["", "MB", "1.5GB", "64 apples", "99999999999GB"] {
            assert!(size(text).unwrap_err().contains("64MB"), "{text}");
        }
    }

    #[test]
    fn moments_are_times_or_counted_from_an_end() {
        // 08:00:30 to 08:10:30.
        let start = Timestamp::from_seconds(1_800_000_030);
        let end = Timestamp::from_seconds(1_800_000_630);
        let at = |text: &str| {
            let at = moment(text).unwrap().within(start, end, &TimeZone::UTC).unwrap();
            at.seconds() - start.seconds()
        };
        assert_eq!(at("+90s"), 90);
        assert_eq!(at("-1m"), 540);
        assert_eq!(at("08:05"), 270);
        assert_eq!(at("08:00"), -30, "the minute in which it starts");
        assert_eq!(at("08:01:02"), 32);
        assert_eq!(at("07:00"), 82_770, "the next day");
        assert_eq!(at("2027-01-15T08:02:00Z"), 90);
        assert!(moment("noon").unwrap_err().contains("14:05"));
    }

    #[test]
    fn a_speed_is_a_number_in_bounds() {
        assert_eq!(speed("8").unwrap(), Speed::new(8.0).unwrap());
        assert_eq!(speed("0.5x").unwrap(), Speed::new(0.5).unwrap());
        for text in ["0", "-1", "fast", "NaN", "1e9"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}

//! From times to columns, and the ticks between.

use std::time::Duration;

use super::super::text;
use crate::engine::Timestamp;

/// The part of the time that is in view, on so many columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) struct Scale {
    from: i64,
    /// At least a millisecond a column.
    length: i64,
    columns: i64,
    /// What ticks count from.
    zero: i64,
}

/// The distances between ticks, in milliseconds.
const STEPS: [i64; 27] = [
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    172_800_000,
    604_800_000,
    2_592_000_000,
];

/// The least columns between two ticks.
const APART: i64 = 11;

impl Scale {
    pub(in crate::tui) fn new(
        from: Timestamp,
        to: Timestamp,
        zero: Timestamp,
        columns: u16,
    ) -> Self {
        let columns = i64::from(columns.max(1));
        let length = to.millis().saturating_sub(from.millis()).max(columns);
        Self { from: from.millis(), length, columns, zero: zero.millis() }
    }

    /// The column of a time; before the first one or behind the last one if it is out of view.
    pub(in crate::tui) fn column(&self, at: Timestamp) -> i64 {
        let past = i128::from(at.millis()) - i128::from(self.from);
        let column = (past * i128::from(self.columns)).div_euclid(i128::from(self.length));
        i64::try_from(column.clamp(-1, i128::from(self.columns))).unwrap_or_default()
    }

    /// The columns of a span, both included: one at least, none if it is out of view.
    pub(in crate::tui) fn span(&self, from: Timestamp, to: Timestamp) -> Option<(u16, u16)> {
        let first = self.column(from);
        // What ends where a column begins does not reach into it.
        let end = Timestamp::from_millis(to.millis().saturating_sub(1)).max(from);
        let last = self.column(end);
        if last < 0 || first >= self.columns {
            return None;
        }
        let cut =
            |column: i64| u16::try_from(column.clamp(0, self.columns - 1)).unwrap_or_default();
        Some((cut(first), cut(last)))
    }

    /// The ticks: columns and what they are called.
    pub(in crate::tui) fn ticks(&self) -> Vec<(u16, String)> {
        let wanted = i128::from(self.length) * i128::from(APART) / i128::from(self.columns);
        let last = STEPS[STEPS.len() - 1];
        let step =
            STEPS.into_iter().find(|step| i128::from(*step) >= wanted).unwrap_or_else(|| {
                let times = i64::try_from(wanted / i128::from(last)).unwrap_or(i64::MAX);
                last.saturating_mul(times.saturating_add(1))
            });
        let first = (self.from.saturating_sub(self.zero)).div_euclid(step).saturating_mul(step);
        let mut ticks = Vec::new();
        for number in 0..=self.columns {
            let offset = first.saturating_add(step.saturating_mul(number));
            let column = self.column(Timestamp::from_millis(self.zero.saturating_add(offset)));
            if column >= self.columns {
                break;
            }
            if let Ok(column) = u16::try_from(column) {
                ticks.push((column, offset_name(offset)));
            }
        }
        ticks
    }
}

/// A time since the beginning: `0`, `1.5s`, `2m`, `1h30m`.
fn offset_name(offset: i64) -> String {
    let sign = if offset < 0 { "-" } else { "" };
    let millis = offset.unsigned_abs();
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let whole = match seconds {
        _ if millis == 0 => "0".to_owned(),
        _ if rest > 0 && seconds < 60 => {
            let fraction = format!("{rest:03}");
            format!("{seconds}.{}s", fraction.trim_end_matches('0'))
        }
        1..60 => format!("{seconds}s"),
        60..3_600 if seconds % 60 == 0 => format!("{}m", seconds / 60),
        3_600..86_400 if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        86_400.. if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        _ => text::age(Duration::from_secs(seconds)),
    };
    format!("{sign}{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn times_have_columns_and_short_ones_one_too() {
        let scale = Scale::new(at(1_000), at(11_000), at(1_000), 100);
        assert_eq!(scale.span(at(1_000), at(2_000)), Some((0, 9)));
        assert_eq!(scale.span(at(2_000), at(3_000)), Some((10, 19)), "side by side");
        assert_eq!(scale.span(at(5_000), at(5_000)), Some((40, 40)));
        assert_eq!(scale.span(at(0), at(1_500)), Some((0, 4)), "cut at the edge");
        assert_eq!(scale.span(at(0), at(900)), None);
        assert_eq!(scale.span(at(11_000), at(12_000)), None);
        assert_eq!(scale.span(at(i64::MIN), at(i64::MAX)), Some((0, 99)));
    }

    #[test]
    fn ticks_are_round_and_apart() {
        let names = |length: i64, columns| -> Vec<String> {
            let scale = Scale::new(at(0), at(length), at(0), columns);
            scale.ticks().into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(names(10_000, 50), ["0", "5s"]);
        assert_eq!(names(10_000, 100), ["0", "2s", "4s", "6s", "8s"]);
        assert_eq!(names(600_000, 60), ["0", "2m", "4m", "6m", "8m"]);
        assert_eq!(names(90_000, 60), ["0", "30s", "1m"]);
        assert_eq!(names(900, 60), ["0", "0.2s", "0.4s", "0.6s", "0.8s"]);
        assert_eq!(names(200_000, 60)[1..3], ["1m", "2m"]);
        assert!(names(i64::MAX / 2, 80).len() < 10);
        for columns in [1, 2, 10, 300] {
            let scale = Scale::new(at(77), at(123_456), at(50), columns);
            let ticks = scale.ticks();
            assert!(ticks.windows(2).all(|pair| pair[0].0 + 10 <= pair[1].0), "{ticks:?}");
        }
    }
}

//! Recordings: what a dashboard sees, kept in a bounded file with secrets masked, and read again at
//! any moment of it.
//!
//! # The file
//!
//! Text, one JSON object a line. The first says what the file is:
//!
//! ```json
//! {"format":"flowcraft-recording","version":1,"program":"0.1.0","cluster":"demo","start":1800000000000}
//! ```
//!
//! Each line after it has a time `t` (milliseconds since 1970, never going backwards) and one of
//! these members. Times in it are of the same kind.
//!
//! - `key`, a key frame: all that was known, so that reading can begin here. `queue`, `locks` and
//!   `workers` are parts: `at` (when the source last answered), `state` (`"loading"`, `"live"` or
//!   `{"stale":{"error","nextTry"}}`) and `data` (what it gave). `runs` has `at`, `state`, `put`
//!   (the rows) and `leftOut` (how many old finished ones there was no room for). `open` is the run
//!   that was looked at, `look` how the source of that is, `details` what is known of it and of
//!   those that were open before. `worker` is the worker of the recording program, `blueprints` what
//!   was loaded, as such files are written.
//! - `change`: what is different since the line before. Only parts that changed are there, and of
//!   their data only the members that changed, in `set`; `pushed` are depths added to the queue's
//!   `history`. `runs.put` are rows that are new or changed, `runs.gone` runs that are gone.
//! - `event`: something that happened, by its `kind`: `operation` (of an operator: `title`, `result`,
//!   `ok`), `worker` (its new `mode`), `failed` and `stalled` (`count` and the first of the `runs`),
//!   `began` (recording began or went on), `lost` (`count` lines came too fast).
//! - `log`: a log line, with `level`, `target` and `text`.
//!
//! Members and lines that a reader does not know are left out by it; a file whose version is newer is
//! refused. A last line without an end was torn when the program was killed, and is left out.
//!
//! ```sh
//! jq -c 'select(.event) | .event + {t: (.t / 1000 | todate)}' FILE       # what happened
//! jq -r 'select(.log) | "\(.t / 1000 | todate) \(.log.text)"' FILE       # the log
//! jq -c 'select(.change.runs) | .change.runs.put[]?.item' FILE           # runs as they changed
//! ```
//!
//! # What is not in it
//!
//! Everything goes through a [`Masker`] on its way to the file. Texts are cut at 4 KiB, and a part
//! that is too large for the file loses its largest pieces. A part of more than 64 KiB is written
//! less often than it changes. Of a flood of log lines 100 a second are kept.
//!
//! # Its size
//!
//! The file never has more than the limit. When it would, its newer half is copied to a new file,
//! from a key frame on, which takes the old one's place at once: there is always a whole recording
//! at the path. The old and the new half exist for a moment together. An existing recording of the
//! same cluster is continued, so that a program that is started again adds to it; anything else at
//! the path is left alone and refused.

mod blueprints;
mod board;
mod changes;
mod error;
mod file;
mod format;
mod index;
mod mask;
mod names;
mod parts;
mod player;
mod reader;
mod recorder;
mod replay;
mod tap;
#[cfg(test)]
mod tests;

pub use error::RecordingError;
pub use format::{Event, Header, LogLevel, LogLine, Mark, WorkerSeen};
pub use mask::Masker;
pub(crate) use names::says_secret;
pub use player::{Direction, Moment, Playback, Player, Scrub, Speed};
pub use reader::{Happened, LoggedLine, Recording};
pub use recorder::{RecordOptions, Recorder, RecorderState};
pub use replay::{Replay, ReplayControls};
pub use tap::LogTap;

/// A count of lines.
fn counted(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

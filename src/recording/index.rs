//! Where things are in a recording: read once, from its beginning to its end.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom},
    path::Path,
};

use super::{
    error::RecordingError,
    format::{Event, FORMAT, Header, Line, VERSION},
};
use crate::engine::Timestamp;

/// How much is read or written at a time.
pub(super) const BUFFER: usize = 256 * 1024;

/// The most bytes of a line; none that this program writes comes near.
const LINE_LIMIT: u64 = 1 << 30;

/// The most bytes of the first line.
const HEADER_LIMIT: u64 = 64 * 1024;

/// How many events are remembered. More of them make no picture any more.
const EVENTS: usize = 100_000;

/// A line with a key frame or a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) offset: u64,
    /// How long the line is, its end left out.
    pub(super) length: u32,
    /// Which line it is, from 1.
    pub(super) line: u32,
}

/// Where things are.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) header: Header,
    /// Key frames and changes, the first key frame first.
    pub(super) steps: Vec<Step>,
    /// Which of them are key frames.
    pub(super) keys: Vec<usize>,
    pub(super) events: Vec<(Timestamp, Event)>,
    pub(super) logs: Vec<Step>,
    /// The time of the last line.
    pub(super) end: Timestamp,
    /// How long the file is up to the end of its last whole line.
    pub(super) length: u64,
    /// Whether there is a torn line after that.
    pub(super) torn: bool,
}

/// Reads lines and keeps count.
struct Lines<'a> {
    reader: BufReader<&'a File>,
    offset: u64,
    number: u32,
    line: Vec<u8>,
}

/// How a line ends.
#[derive(PartialEq, Eq)]
enum End {
    /// As it should.
    Whole,
    /// In the middle.
    Torn,
    /// There is none.
    None,
}

impl Lines<'_> {
    fn next(&mut self, limit: u64) -> io::Result<End> {
        self.offset += self.line.len() as u64;
        self.line.clear();
        self.number += 1;
        self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.last() {
            None => End::None,
            Some(b'\n') => End::Whole,
            Some(_) => End::Torn,
        })
    }
}

impl Index {
    /// Reads a file from its beginning. `progress` hears how many bytes of how many are read.
    pub(super) fn read(
        path: &Path,
        mut file: &File,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Read { path: path.to_owned(), error };
        let total = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let reader = BufReader::with_capacity(BUFFER, file);
        let mut lines = Lines { reader, offset: 0, number: 0, line: Vec::new() };
        let header = header(path, &mut lines)?;
        let start = header.start;
        let mut index = Self {
            header,
            steps: Vec::new(),
            keys: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
            end: start,
            length: lines.line.len() as u64,
            torn: false,
        };
        loop {
            match lines.next(LINE_LIMIT).map_err(failed)? {
                End::None => break,
                End::Torn => {
                    index.torn = true;
                    break;
                }
                End::Whole => {}
            }
            index.length = lines.offset + lines.line.len() as u64;
            index.take(&lines).map_err(|problem| RecordingError::Damaged {
                path: path.to_owned(),
                line: lines.number as usize,
                problem,
            })?;
            progress(index.length, total);
        }
        if index.keys.is_empty() {
            let lines = lines.number.saturating_sub(1) as usize;
            return Err(RecordingError::CutOff { path: path.to_owned(), lines });
        }
        Ok(index)
    }

    fn take(&mut self, lines: &Lines<'_>) -> Result<(), String> {
        let text = lines.line.trim_ascii_end();
        if text.is_empty() {
            return Ok(());
        }
        let line: Line<'_> = serde_json::from_slice(text).map_err(|error| {
            let text = error.to_string();
            // Its line is always the first: it sees only this one.
            text.split(" at line ").next().unwrap_or_default().to_owned()
        })?;
        let length = u32::try_from(text.len()).map_err(|_| "the line is too long".to_owned())?;
        // Times never go backwards, whatever the clock did.
        self.end = if self.steps.is_empty() { line.t } else { self.end.max(line.t) };
        let step = Step { at: self.end, offset: lines.offset, length, line: lines.number };
        if line.key.is_some() {
            self.keys.push(self.steps.len());
            self.steps.push(step);
        } else if line.change.is_some() {
            // Changes of something unknown say nothing.
            if !self.steps.is_empty() {
                self.steps.push(step);
            }
        } else if line.log.is_some() {
            self.logs.push(step);
        } else if let Some(event) = line.event
            && self.events.len() < EVENTS
        {
            self.events.push((self.end, event));
        }
        Ok(())
    }
}

fn header(path: &Path, lines: &mut Lines<'_>) -> Result<Header, RecordingError> {
    let path = path.to_owned();
    let end = match lines.next(HEADER_LIMIT) {
        Ok(end) => end,
        Err(error) => return Err(RecordingError::Read { path, error }),
    };
    match (end, serde_json::from_slice::<serde_json::Value>(&lines.line)) {
        (End::None, _) => Err(RecordingError::Empty { path }),
        (_, Ok(value)) if value.get("format").and_then(|it| it.as_str()) == Some(FORMAT) => {
            let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
            if version > u64::from(VERSION) {
                let program = value.get("program").and_then(|it| it.as_str()).unwrap_or("?");
                return Err(RecordingError::Newer {
                    path,
                    version: u32::try_from(version).unwrap_or(u32::MAX),
                    program: program.chars().take(40).collect(),
                });
            }
            serde_json::from_value(value).map_err(|error| RecordingError::Damaged {
                path,
                line: 1,
                problem: error.to_string(),
            })
        }
        // What begins like one and ends in the middle was one.
        (End::Torn, Err(_)) if lines.line.starts_with(b"{\"format\":\"flowcraft-rec") => {
            Err(RecordingError::CutOff { path, lines: 0 })
        }
        _ => Err(RecordingError::Foreign { path }),
    }
}

//! The file: created for its owner only, never larger than it may be, readable at every moment.
//!
//! Lines are only added at its end. When it would become too large, its newer half is copied to a
//! new file, from a key frame on, which then takes its place.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::{
    error::RecordingError,
    format::Header,
    index::{self, Index},
};
use crate::engine::Timestamp;

/// What kind of line is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One that reading can begin at.
    Key,
    /// Any other.
    Other,
}

/// A file that is recorded into.
pub(super) struct BoundedFile {
    path: PathBuf,
    file: BufWriter<File>,
    header: Vec<u8>,
    /// How long it is, with what is not written out yet.
    length: u64,
    limit: u64,
    /// Where its key frames are.
    keys: VecDeque<u64>,
    /// How long the last key frame is.
    last_key: u64,
}

impl BoundedFile {
    /// Creates the file, or goes on with the recording that is there. Returns the time of the last
    /// line, too, if there is one.
    pub(super) fn open(
        path: &Path,
        limit: u64,
        cluster: &str,
        now: Timestamp,
    ) -> Result<(Self, Option<Timestamp>), RecordingError> {
        let failed = |error| RecordingError::Write { path: path.to_owned(), error };
        let occupied = |what| RecordingError::Occupied { path: path.to_owned(), what };
        let header = Header::new(cluster.to_owned(), now);
        match create(path) {
            Ok(file) => {
                return Ok((Self::begin(path, file, limit, &header).map_err(failed)?, None));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        // The file itself, not a link to it, is what is replaced when it becomes too large.
        let path = &path.canonicalize().map_err(failed)?;
        if !path.metadata().map_err(failed)?.is_file() {
            return Err(occupied("not a file"));
        }
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        lock(path, &file)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Ok((Self::begin(path, file, limit, &header).map_err(failed)?, None));
        }
        let index = match Index::read(path, &file, &mut |_, _| {}) {
            Err(RecordingError::Foreign { .. }) => return Err(occupied("not a recording")),
            // Begun, and ended before anything was written: nothing is lost.
            Err(RecordingError::CutOff { .. }) => {
                file.set_len(0).map_err(failed)?;
                return Ok((Self::begin(path, file, limit, &header).map_err(failed)?, None));
            }
            index => index?,
        };
        if index.header.cluster != cluster {
            return Err(RecordingError::OtherCluster {
                path: path.clone(),
                found: index.header.cluster,
                wanted: cluster.to_owned(),
            });
        }
        // A torn last line is taken away: the next one must not be added to it.
        let file = Self::go_on(path, file, limit, &index).map_err(failed)?;
        Ok((file, Some(index.end)))
    }

    fn begin(path: &Path, file: File, limit: u64, header: &Header) -> io::Result<Self> {
        file.try_lock().map_err(io::Error::from)?;
        let mut line = serde_json::to_vec(header)?;
        line.push(b'\n');
        let mut file = BufWriter::with_capacity(index::BUFFER, file);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&line)?;
        file.flush()?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length: line.len() as u64,
            header: line,
            limit,
            keys: VecDeque::new(),
            last_key: 0,
        })
    }

    fn go_on(path: &Path, mut file: File, limit: u64, index: &Index) -> io::Result<Self> {
        let mut header = serde_json::to_vec(&index.header)?;
        header.push(b'\n');
        file.set_len(index.length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(index::BUFFER, file),
            header,
            length: index.length,
            limit,
            keys: index.keys.iter().filter_map(|at| Some(index.steps.get(*at)?.offset)).collect(),
            last_key: 0,
        })
    }

    /// Whether it is time for a key frame: there should be one every so often, so that a place is
    /// found quickly, but they should not be most of the file.
    pub(super) fn wants_key(&self) -> bool {
        let since = self.length - self.keys.back().map_or(self.length, |at| at + self.last_key);
        let often = (self.last_key * 4).clamp(64 * 1024, 8 * 1024 * 1024);
        // The newer half, which is kept when the file is cut, must have one in it.
        let half = (self.limit / 2).saturating_sub(self.last_key + self.limit / 16);
        self.keys.is_empty() || since >= often.min(half.max(self.limit / 32))
    }

    /// Adds a line.
    pub(super) fn add(&mut self, kind: Kind, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64 + 1;
        if self.length + bytes > self.limit {
            self.cut()?;
        }
        if kind == Kind::Key {
            self.keys.push_back(self.length);
            self.last_key = bytes;
        }
        self.file.write_all(line.as_bytes())?;
        self.file.write_all(b"\n")?;
        self.length += bytes;
        Ok(())
    }

    /// Hands everything to the system, so that it is there even if this program is killed.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Takes away the older half, from the beginning to a key frame.
    fn cut(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let half = self.limit / 2;
        let from = self.keys.iter().find(|at| self.length - **at <= half).or(self.keys.back());
        let Some(from) = from.copied() else { return Ok(()) };
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut shorter = tempfile::Builder::new()
            .prefix(".flowcraft-recording-")
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        shorter.as_file().try_lock().map_err(io::Error::from)?;
        shorter.write_all(&self.header)?;
        let mut old = File::open(&self.path)?;
        old.seek(SeekFrom::Start(from))?;
        let kept = io::copy(&mut old.take(self.length - from), &mut shorter)?;
        let file = shorter.persist(&self.path).map_err(|error| error.error)?;
        self.file = BufWriter::with_capacity(index::BUFFER, file);
        let header = self.header.len() as u64;
        self.length = header + kept;
        self.keys.retain(|at| *at >= from);
        for at in &mut self.keys {
            *at = *at - from + header;
        }
        Ok(())
    }
}

/// Creates a file that only its owner can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lock(path: &Path, file: &File) -> Result<(), RecordingError> {
    use std::fs::TryLockError;
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(RecordingError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => {
            Err(RecordingError::Write { path: path.to_owned(), error })
        }
    }
}

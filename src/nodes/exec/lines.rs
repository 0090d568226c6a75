//! The lines that a program writes on its stdout.

use std::io;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a line may be, in bytes.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// A buffer that grew beyond this for one line is given back after it.
const KEPT_BUFFER: usize = 1 << 20;

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("wrote a line of more than {} MB on stdout, which is the most an answer may have", LONGEST_LINE >> 20)]
    TooLong,
    #[error("can't be read from: {0}")]
    Io(#[from] io::Error),
}

/// Reads lines, none longer than 16 MB.
pub(super) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// How much of the buffer is known to have no line break.
    searched: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: Vec::new(), searched: 0 }
    }

    /// The next line without its line break; nothing at the end. The last one needs no line break.
    /// Can be dropped and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.pop();
                if line.len() > LONGEST_LINE {
                    return Err(LineError::TooLong);
                }
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LONGEST_LINE {
                return Err(LineError::TooLong);
            }
            if self.fill().await? == 0 {
                self.searched = 0;
                let line = std::mem::take(&mut self.buffer);
                return Ok((!line.is_empty()).then_some(line));
            }
        }
    }

    /// Whether nothing was written that has not been read, as far as can be told without waiting.
    pub(super) fn is_silent(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().now_or_never().is_none()
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(8 << 10);
        self.from.read_buf(&mut self.buffer).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn lines_come_one_by_one() {
        let mut lines = Lines::new(&b"one\n\ntwo"[..]);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"two");
        assert!(lines.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_may_come_in_pieces_and_be_asked_for_again() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut lines = Lines::new(reader);
        writer.write_all(b"on").await.unwrap();
        assert!(lines.next().now_or_never().is_none());
        writer.write_all(b"e\nt").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one");
        assert!(!lines.is_silent());
    }

    #[tokio::test]
    async fn silence_is_told_from_output_and_from_the_end() {
        let (mut writer, reader) = tokio::io::duplex(64);
        let mut lines = Lines::new(reader);
        assert!(lines.is_silent());
        writer.write_all(b"x").await.unwrap();
        assert!(!lines.is_silent());
        let mut ended = Lines::new(&b""[..]);
        assert!(!ended.is_silent());
    }

    #[tokio::test]
    async fn a_line_of_the_greatest_length_passes_and_a_longer_one_does_not() {
        let mut line = vec![b'x'; LONGEST_LINE];
        line.push(b'\n');
        assert_eq!(Lines::new(&line[..]).next().await.unwrap().unwrap().len(), LONGEST_LINE);
        line.insert(0, b'x');
        assert!(matches!(Lines::new(&line[..]).next().await, Err(LineError::TooLong)));
        line.pop();
        assert!(matches!(Lines::new(&line[..]).next().await, Err(LineError::TooLong)));
    }
}

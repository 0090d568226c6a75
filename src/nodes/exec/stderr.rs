//! What a program writes on its stderr: into the log, and the last of it into errors.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::nodes::{
    log::{Asker, Target},
    secret::{Mask, printable},
};

/// How much of a line is kept, in bytes.
const LONGEST_LINE: usize = 8 << 10;

/// How many lines an error repeats, and how much of each, in characters.
const TAIL_LINES: usize = 5;
const TAIL_LINE: usize = 300;

/// The last lines that a program wrote on its stderr, and for whom it works.
#[derive(Clone, Default)]
pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    asker: Arc<Mutex<Option<Arc<Asker>>>>,
}

impl Tail {
    /// From now on the program works for this one. What it writes between two requests counts for
    /// the one before: it is most likely late.
    pub(super) fn asked_by(&self, asker: Asker) {
        *self.asker.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(asker));
    }

    fn asker(&self) -> Option<Arc<Asker>> {
        self.asker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn push(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(TAIL_LINE).collect());
    }

    /// Forgets them: they belong to a request that is over.
    pub(super) fn clear(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The lines in one; nothing if there are none.
    pub(super) fn text(&self) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }
}

/// Reads a program's stderr to its end: each line goes to the log under `node::NAME`, the last ones
/// are kept. Memory stays the same however much there is.
pub(super) async fn follow<R: AsyncRead + Unpin>(
    mut from: R,
    node: String,
    mask: Mask,
    tail: Tail,
) {
    let target = Target::of(&node);
    let mut chunk = vec![0; 8 << 10];
    let mut line = Line::default();
    let emit = |text: &str| {
        let text = mask.apply(text);
        tail.push(&text);
        target.log(&text, tail.asker().as_deref());
    };
    // A pipe that can't be read is one without further lines.
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        for piece in chunk[..read].split_inclusive(|byte| *byte == b'\n') {
            if let Some(text) = line.add(piece) {
                emit(&text);
            }
        }
    }
    if let Some(text) = line.end() {
        emit(&text);
    }
}

/// A line that is being read.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    cut: usize,
}

impl Line {
    /// Adds a piece that has a line break at its end or none. Gives the line if it is complete and
    /// not blank.
    fn add(&mut self, piece: &[u8]) -> Option<String> {
        let text = piece.strip_suffix(b"\n").unwrap_or(piece);
        let kept = text.len().min(LONGEST_LINE - self.bytes.len());
        self.bytes.extend_from_slice(&text[..kept]);
        self.cut += text.len() - kept;
        if text.len() < piece.len() { self.end() } else { None }
    }

    fn end(&mut self) -> Option<String> {
        let cut = std::mem::take(&mut self.cut);
        let text = String::from_utf8_lossy(&self.bytes);
        let shown = printable(text.trim_end(), LONGEST_LINE);
        self.bytes.clear();
        match (shown.is_empty(), cut) {
            (true, 0) => None,
            (_, 0) => Some(shown),
            (_, cut) => Some(format!("{shown}… ({cut} bytes left out)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail_of(written: &[u8]) -> Option<String> {
        let tail = Tail::default();
        let mut mask = Mask::default();
        mask.add("hunter2-hunter2");
        follow(written, "test".to_owned(), mask, tail.clone()).await;
        tail.text()
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_in_one() {
        assert_eq!(tail_of(b"").await, None);
        assert_eq!(tail_of(b"\n\r\n").await, None);
        assert_eq!(tail_of(b"1\n2\r\n3\n\n4\n5\n6").await.as_deref(), Some("2 | 3 | 4 | 5 | 6"));
    }

    #[tokio::test]
    async fn a_line_says_for_whom_the_program_works() {
        use std::fmt::Write as _;
        use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

        /// Collects the fields of each line.
        #[derive(Clone, Default)]
        struct Fields(Arc<Mutex<Vec<String>>>);
        impl<S: tracing::Subscriber> Layer<S> for Fields {
            fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
                struct Line(String);
                impl tracing::field::Visit for Line {
                    fn record_debug(
                        &mut self,
                        at: &tracing::field::Field,
                        it: &dyn std::fmt::Debug,
                    ) {
                        let _ = write!(self.0, "{at}={it:?} ");
                    }
                }
                let mut line = Line(String::new());
                event.record(&mut line);
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
            }
        }

        let fields = Fields::default();
        let subscriber = tracing_subscriber::registry().with(fields.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        let tail = Tail::default();
        let node = "stderr-test".to_owned();
        follow(&b"at the start\n"[..], node.clone(), Mask::default(), tail.clone()).await;
        tail.asked_by(Asker { run: "r".into(), node: "n".into() });
        follow(&b"at work\n"[..], node, Mask::default(), tail).await;
        let lines = fields.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(lines, ["message=at the start ", "message=at work run=\"r\" node=\"n\" "]);
    }

    #[tokio::test]
    async fn lines_are_made_fit_to_be_shown() {
        assert_eq!(
            tail_of(b"\x1b[2J\xff key hunter2-hunter2").await.as_deref(),
            Some("\\u{1b}[2J\u{fffd} key ***")
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let mut line = Line::default();
        let half = [b'x'; LONGEST_LINE / 2];
        assert_eq!(line.add(&half), None);
        assert_eq!(line.add(&half), None);
        assert_eq!(line.add(b"1234"), None);
        let text = line.add(b"567\n");
        assert_eq!(text, Some(format!("{}… (7 bytes left out)", "x".repeat(LONGEST_LINE))));
        assert_eq!(line.add(b"y"), None);
        assert_eq!(line.end().as_deref(), Some("y"));
    }
}

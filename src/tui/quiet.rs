//! Writing to a terminal only what changed: where nothing did, not a byte.

use std::io::{self, Write};

use crossterm::{
    QueueableCommand,
    terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate},
};
use ratatui::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};

/// A terminal that is left alone while nothing changes.
pub(super) struct Quiet<B> {
    inner: B,
    cursor: Cursor,
    /// Whether anything was written since the last flush.
    touched: bool,
}

/// What is known of the terminal's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Hidden,
    Unknown,
}

impl<B> Quiet<B> {
    pub(super) fn new(inner: B) -> Self {
        Self { inner, cursor: Cursor::Unknown, touched: false }
    }
}

impl<B: Backend<Error = io::Error> + Write> Backend for Quiet<B> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.touched = true;
        // The terminal shows the frame as a whole, not while it is being written.
        self.inner.queue(BeginSynchronizedUpdate)?;
        let drawn = self.inner.draw(content);
        self.inner.queue(EndSynchronizedUpdate)?;
        drawn
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor == Cursor::Hidden {
            return Ok(());
        }
        self.cursor = Cursor::Hidden;
        self.touched = true;
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor = Cursor::Unknown;
        self.touched = true;
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.touched = true;
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        // Somebody else may have had the terminal.
        self.cursor = Cursor::Unknown;
        self.touched = true;
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.touched) { Backend::flush(&mut self.inner) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use std::{cell::RefCell, rc::Rc};

    use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};

    use super::*;

    /// What was written, and how often it was flushed.
    #[derive(Clone, Default)]
    struct Paper(Rc<RefCell<(Vec<u8>, usize)>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.borrow_mut().1 += 1;
            Ok(())
        }
    }

    #[test]
    fn nothing_is_written_where_nothing_changed() {
        let paper = Paper::default();
        let backend = Quiet::new(CrosstermBackend::new(paper.clone()));
        let viewport = Viewport::Fixed(Rect::new(0, 0, 20, 3));
        let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        let mut draw = |text: &str| {
            let before = paper.0.borrow().clone();
            terminal.draw(|frame| frame.render_widget(text, frame.area())).unwrap();
            let after = paper.0.borrow().clone();
            (String::from_utf8(after.0[before.0.len()..].to_vec()).unwrap(), after.1 - before.1)
        };
        let (first, flushes) = draw("one");
        assert!(first.starts_with("\u{1b}[?2026h") && first.contains("one"), "{first:?}");
        assert!(first.contains("\u{1b}[?25l") && flushes > 0, "the cursor is hidden: {first:?}");
        assert_eq!(draw("one"), (String::new(), 0));
        let (second, _) = draw("two");
        assert!(second.contains("tw") && !second.contains("\u{1b}[?25l"), "{second:?}");
        assert_eq!(draw("two"), (String::new(), 0));
    }
}

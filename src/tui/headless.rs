//! The dashboard without a terminal: for tests, benchmarks and pictures.

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::{
    app::{Access, App},
    keymap::Keymap,
    message::{Command, Message},
    run_log::RunLine,
    theme::{Colours, Theme},
    update::update,
    view::view,
};
use crate::{engine::Timestamp, monitor::Snapshot};

/// A dashboard that draws into memory. Nothing happens by itself: it hears what it is told, and
/// what it asks for is kept until somebody looks.
pub struct Headless {
    app: App,
    terminal: Terminal<TestBackend>,
    asked: Vec<Command>,
    /// Whether what it computes beside itself is held back.
    held: bool,
}

impl Headless {
    /// A dashboard of this many columns and rows that shows `snapshot` at the time `now`.
    pub fn new(snapshot: Arc<Snapshot>, now: Timestamp, size: (u16, u16), access: Access) -> Self {
        let app = App::new(snapshot, Keymap::default(), access, now);
        Self { app, terminal: terminal(size), asked: Vec::new(), held: false }
    }

    /// Shows this theme, as a terminal with so many colours has it.
    pub fn set_theme(&mut self, theme: &Theme, colours: Colours) {
        self.app.set_themes(vec![theme.on(colours)], 0);
    }

    /// Gives it another size.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.terminal = terminal(size);
        self.hear(Message::Input(Event::Resize(size.0, size.1)));
    }

    /// Tells it something.
    pub fn hear(&mut self, message: Message) {
        let mut messages = vec![message];
        while let Some(message) = messages.pop() {
            for command in update(&mut self.app, message) {
                match command {
                    Command::Work(work) if !self.held => messages.push(work.run()),
                    command => self.asked.push(command),
                }
            }
        }
    }

    /// Holds back what it computes beside itself, as on a slow machine: it is asked for like
    /// everything else.
    pub fn hold_work(&mut self) {
        self.held = true;
    }

    /// Does what was held back.
    pub fn release_work(&mut self) {
        self.held = false;
        for command in self.asked() {
            match command {
                Command::Work(work) => self.hear(work.run()),
                command => self.asked.push(command),
            }
        }
    }

    /// Has a log line about a run.
    pub fn log(&mut self, at: Timestamp, level: tracing::Level, run: &str, node: &str, text: &str) {
        let line = RunLine {
            number: 0,
            at,
            level,
            target: "flowcraft_tui".to_owned(),
            node: (!node.is_empty()).then(|| node.to_owned()),
            text: text.to_owned(),
        };
        self.app.run_log.put(Some(run), line);
        self.hear(Message::LogLines(Vec::new()));
    }

    /// Presses keys one after another, with spaces between them: a character, or one of `enter`,
    /// `esc`, `tab`, `backtab`, `space`, `backspace`, `up`, `down`, `left`, `right`, `home`, `end`,
    /// `pageup`, `pagedown`, `ctrl-c` and the like. Draws after each, as a person would see it.
    pub fn press(&mut self, keys: &str) {
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            if let Some(event) = key_event(key) {
                self.hear(Message::Input(Event::Key(event)));
            }
            self.draw();
        }
    }

    /// Presses a key without drawing.
    pub fn press_unseen(&mut self, key: &str) {
        if let Some(event) = key_event(key) {
            self.hear(Message::Input(Event::Key(event)));
        }
    }

    /// Types a text, character by character.
    pub fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            self.hear(Message::Input(Event::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        }
    }

    /// What it has asked for since this was last called.
    pub fn asked(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.asked)
    }

    /// Whether anything changed since it was last drawn.
    pub fn is_dirty(&self) -> bool {
        self.app.dirty
    }

    /// Draws a frame, and once more where it was not known before how much room there is.
    pub fn frame(&mut self) {
        for _ in 0..2 {
            self.app.prepare();
            let mut hits = Vec::new();
            let Ok(_) = self.terminal.draw(|frame| hits = view(&self.app, frame));
            self.app.drawn(hits);
            self.asked.append(&mut self.app.outbox);
            if !self.app.dirty {
                break;
            }
        }
    }

    /// Draws a frame and gives what is on it.
    pub fn draw(&mut self) -> Buffer {
        self.frame();
        self.terminal.backend().buffer().clone()
    }

    /// Draws it, as lines of text without the spaces at their ends.
    pub fn text(&mut self) -> String {
        let buffer = self.draw();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut x = 0;
            while let Some(cell) = buffer.cell((x, y)) {
                line.push_str(cell.symbol());
                // A wide character's second cell holds nothing of its own.
                x += u16::try_from(super::text::width(cell.symbol())).unwrap_or(1).max(1);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn terminal((width, height): (u16, u16)) -> Terminal<TestBackend> {
    let Ok(terminal) = Terminal::new(TestBackend::new(width, height));
    terminal
}

fn key_event(name: &str) -> Option<KeyEvent> {
    let (modifiers, name) = match name.strip_prefix("ctrl-") {
        Some(name) => (KeyModifiers::CONTROL, name),
        None => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        "delete" => KeyCode::Delete,
        "f5" => KeyCode::F(5),
        name => {
            let mut chars = name.chars();
            let c = chars.next().filter(|_| chars.next().is_none())?;
            KeyCode::Char(c)
        }
    };
    Some(KeyEvent::new(code, modifiers))
}

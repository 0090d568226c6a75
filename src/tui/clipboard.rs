//! What is copied: it depends on where the operator is.

use std::io;

use super::{
    app::App, export::write_value, rows::ListId, screen::Screen, text, update::copied,
    values::selected,
};

/// The most that is copied, in bytes: the sequence for the terminal (OSC 52) takes a third more, and
/// many terminals drop one of more than 100,000 bytes without a word.
pub(super) const LIMIT: usize = 74_994;

/// What there is to copy.
pub(super) enum Copied {
    /// This text, and what to call it.
    Text {
        text: String,
        what: String,
    },
    /// More than a terminal takes.
    TooLarge {
        what: String,
    },
    Nothing,
}

/// What `copy` takes: the id of what is selected, a value, a log line, an error.
pub(super) fn selection(app: &App) -> Copied {
    if app.focus == ListId::Letters {
        return copied(app).map_or(Copied::Nothing, id);
    }
    if app.screen != Screen::Run {
        return app.selected_key(app.focus).map_or(Copied::Nothing, id);
    }
    match app.focus {
        ListId::Context => value(app),
        ListId::RunLogs => line(app),
        ListId::Inspector => match app.selected_node() {
            Some(node) => match &node.error {
                Some(error) => bounded(error.clone(), format!("the error of {}", node.id)),
                None => id(node.id.to_string()),
            },
            None => Copied::Nothing,
        },
        _ => match app.selected_node() {
            Some(node) => id(node.id.to_string()),
            None => app.open_run.as_ref().map_or(Copied::Nothing, |run| id(run.to_string())),
        },
    }
}

/// What the other copy takes: where a value is; else the id of the run.
pub(super) fn place(app: &App) -> Copied {
    if app.focus == ListId::Context
        && let (Some(at), Some((tree, _))) = (selected(app), app.values.shown())
    {
        return id(tree.path(at));
    }
    let run = app.run_of_row(app.focus);
    run.map_or(Copied::Nothing, |run| id(run.to_string()))
}

fn id(text: String) -> Copied {
    let what = text::fit(&text, 60).into_owned();
    bounded(text, what)
}

fn bounded(text: String, what: String) -> Copied {
    if text.len() > LIMIT { Copied::TooLarge { what } } else { Copied::Text { text, what } }
}

fn line(app: &App) -> Copied {
    let place = app.selected_place(ListId::RunLogs);
    let Some(line) = place.and_then(|at| app.run_logs.lines.get(at)) else {
        return Copied::Nothing;
    };
    let node = line.node.as_ref().map(|node| format!("{node}: ")).unwrap_or_default();
    bounded(format!("{} {} {node}{}", line.at, line.level, line.text), "the log line".to_owned())
}

fn value(app: &App) -> Copied {
    let (Some(at), Some((tree, detail))) = (selected(app), app.values.shown()) else {
        return Copied::Nothing;
    };
    let what = text::fit_end(&tree.path(at), 60);
    let mut out = Bounded(Vec::new());
    if write_value(&mut out, detail, tree, at).is_err() {
        return Copied::TooLarge { what };
    }
    let text = String::from_utf8_lossy(&out.0).into_owned();
    Copied::Text { text, what }
}

/// Takes no more than can be copied.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

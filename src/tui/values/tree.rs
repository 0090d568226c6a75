//! The tree itself: one row for each value, in the order in which they are written.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::monitor::RunDetail;

/// A piece of the tree's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: usize,
    length: usize,
}

/// How a value is known in the one that holds it.
#[derive(Debug, Clone, Copy)]
enum Key {
    Name(Span),
    Index(usize),
}

/// How a value is known in the one that holds it, for reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Step<'a> {
    /// By a name.
    Name(&'a str),
    /// By its place in a list, from 0.
    Index(usize),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum Kind {
    /// An object, or a section of the tree, with so many members.
    Object(usize),
    /// A list of so many items.
    Array(usize),
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Word,
}

impl Kind {
    /// Whether it holds other values, and can be folded.
    pub(in crate::tui) fn folds(self) -> bool {
        matches!(self, Self::Object(1..) | Self::Array(1..))
    }
}

#[derive(Debug)]
struct Item {
    key: Key,
    kind: Kind,
    /// Of a plain value; empty for one that holds others.
    text: Span,
    parent: Option<usize>,
    /// The place after the last value inside of it.
    end: usize,
    depth: usize,
}

/// The values of a run, each after the one that holds it. Never changes. Built once for a document,
/// after which folding, searching and drawing only look at places in it.
#[derive(Debug, Default)]
pub(in crate::tui) struct ValueTree {
    text: String,
    items: Vec<Item>,
}

/// The sections of the tree.
pub(in crate::tui) const SECTIONS: [&str; 3] = ["context", "outputs", "inputs"];

/// The values of a section.
pub(in crate::tui) fn section<'a>(
    detail: &'a RunDetail,
    name: &str,
) -> Option<&'a Map<String, Value>> {
    match name {
        "context" => Some(&detail.context),
        "outputs" => Some(&detail.outputs),
        "inputs" => Some(&detail.inputs),
        _ => None,
    }
}

impl ValueTree {
    /// The tree of everything a run holds.
    pub(in crate::tui) fn of(detail: &RunDetail) -> Self {
        let mut tree = Self::default();
        for name in SECTIONS {
            if let Some(members) = section(detail, name) {
                let key = tree.keep(name);
                tree.object(Key::Name(key), members, None, 0);
            }
        }
        tree
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span { start, length: text.len() }
    }

    fn push(&mut self, key: Key, kind: Kind, parent: Option<usize>, depth: usize) -> usize {
        let at = self.items.len();
        self.items.push(Item { key, kind, text: Span::default(), parent, end: at + 1, depth });
        at
    }

    fn object(
        &mut self,
        key: Key,
        members: &Map<String, Value>,
        parent: Option<usize>,
        depth: usize,
    ) {
        let at = self.push(key, Kind::Object(members.len()), parent, depth);
        for (name, value) in members {
            let name = self.keep(name);
            self.put(Key::Name(name), value, Some(at), depth + 1);
        }
        self.items[at].end = self.items.len();
    }

    fn put(&mut self, key: Key, value: &Value, parent: Option<usize>, depth: usize) {
        let (kind, text) = match value {
            Value::Object(members) => return self.object(key, members, parent, depth),
            Value::Array(items) => {
                let at = self.push(key, Kind::Array(items.len()), parent, depth);
                for (index, item) in items.iter().enumerate() {
                    self.put(Key::Index(index), item, Some(at), depth + 1);
                }
                self.items[at].end = self.items.len();
                return;
            }
            Value::String(text) => (Kind::Text, self.keep(text)),
            Value::Number(number) => (Kind::Number, self.keep(&number.to_string())),
            Value::Bool(true) => (Kind::Word, self.keep("true")),
            Value::Bool(false) => (Kind::Word, self.keep("false")),
            Value::Null => (Kind::Word, self.keep("null")),
        };
        let at = self.push(key, kind, parent, depth);
        self.items[at].text = text;
    }

    /// How many values there are, with the sections.
    pub(in crate::tui) fn len(&self) -> usize {
        self.items.len()
    }

    /// How much text there is, in bytes.
    pub(in crate::tui) fn bytes(&self) -> usize {
        self.text.len()
    }

    fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.start + span.length).unwrap_or_default()
    }

    /// How the value at a place is known in the one that holds it.
    pub(in crate::tui) fn step(&self, at: usize) -> Step<'_> {
        match self.items.get(at).map(|item| item.key) {
            Some(Key::Name(span)) => Step::Name(self.slice(span)),
            Some(Key::Index(index)) => Step::Index(index),
            None => Step::Name(""),
        }
    }

    /// What the value at a place is.
    pub(in crate::tui) fn kind(&self, at: usize) -> Kind {
        self.items.get(at).map_or(Kind::Word, |item| item.kind)
    }

    /// The text of a plain value; nothing of one that holds others.
    pub(in crate::tui) fn text(&self, at: usize) -> &str {
        self.items.get(at).map_or("", |item| self.slice(item.text))
    }

    pub(in crate::tui) fn depth(&self, at: usize) -> usize {
        self.items.get(at).map_or(0, |item| item.depth)
    }

    pub(in crate::tui) fn parent(&self, at: usize) -> Option<usize> {
        self.items.get(at)?.parent
    }

    /// The place after the last value inside of the one at a place.
    pub(in crate::tui) fn end(&self, at: usize) -> usize {
        self.items.get(at).map_or(at + 1, |item| item.end)
    }

    /// The values directly inside of the one at a place; the sections, if none is given.
    pub(in crate::tui) fn inside(&self, at: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let (mut next, end) = at.map_or((0, self.len()), |at| (at + 1, self.end(at)));
        std::iter::from_fn(move || {
            let here = next;
            (here < end).then(|| {
                next = self.end(here);
                here
            })
        })
    }

    /// The steps that lead to a place.
    pub(in crate::tui) fn steps(&self, at: usize) -> Vec<Step<'_>> {
        let mut steps = vec![self.step(at)];
        let mut here = at;
        while let Some(parent) = self.parent(here) {
            steps.push(self.step(parent));
            here = parent;
        }
        steps.reverse();
        steps
    }

    /// The way to a value as a JSON pointer: the same wherever the value moves to in the tree.
    pub(in crate::tui) fn pointer(&self, at: usize) -> String {
        let mut pointer = String::new();
        for step in self.steps(at) {
            pointer.push('/');
            match step {
                Step::Name(name) => pointer.push_str(&escaped(name)),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// The place that a pointer leads to, and whether it leads all the way: else it is the place of
    /// the last value on the way.
    pub(in crate::tui) fn place(&self, pointer: &str) -> Option<(usize, bool)> {
        let mut here = None;
        for token in pointer.split('/').skip(1) {
            let found = self.inside(here).find(|at| match self.step(*at) {
                Step::Name(name) => escaped(name) == token,
                Step::Index(index) => token.parse() == Ok(index),
            });
            match found {
                Some(at) => here = Some(at),
                None => return here.map(|at| (at, false)),
            }
        }
        here.map(|at| (at, true))
    }

    /// The way to a value as one writes it: `outputs.check.items[0].sku`.
    pub(in crate::tui) fn path(&self, at: usize) -> String {
        let mut path = String::new();
        for step in self.steps(at) {
            match step {
                Step::Index(index) => {
                    path.push('[');
                    path.push_str(&index.to_string());
                    path.push(']');
                }
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) if is_plain(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Name(name) => {
                    path.push('[');
                    path.push_str(&Value::from(name).to_string());
                    path.push(']');
                }
            }
        }
        path
    }

    /// The start of what a value holds, at least `width` characters of it where there are so many.
    pub(in crate::tui) fn preview(&self, at: usize, width: usize) -> String {
        let mut preview = String::new();
        self.write_preview(&mut preview, at, width, 1);
        preview
    }

    /// What is in a value, and so many levels further down.
    fn write_preview(&self, preview: &mut String, at: usize, width: usize, levels: usize) {
        for (number, child) in self.inside(Some(at)).enumerate() {
            if number > 0 {
                preview.push_str(", ");
            }
            if preview.len() > width {
                preview.push('…');
                break;
            }
            if let Step::Name(name) = self.step(child) {
                preview.push_str(first_chars(name, width));
                preview.push_str(": ");
            }
            // Writing to a string can't fail.
            match self.kind(child) {
                Kind::Object(1..) if levels > 0 => {
                    preview.push('{');
                    self.write_preview(preview, child, width, levels - 1);
                    preview.push('}');
                }
                Kind::Object(count) => {
                    let _ = write!(preview, "{{{count}}}");
                }
                Kind::Array(count) => {
                    let _ = write!(preview, "[{count}]");
                }
                Kind::Text => {
                    preview.push('"');
                    preview.push_str(first_chars(self.text(child), width));
                    preview.push('"');
                }
                Kind::Number | Kind::Word => preview.push_str(self.text(child)),
            }
        }
    }

    /// The value at a place, from the run that the tree was made of. A section has none of its own.
    pub(in crate::tui) fn value<'a>(&self, detail: &'a RunDetail, at: usize) -> Option<&'a Value> {
        let steps = self.steps(at);
        let mut steps = steps.into_iter();
        let Some(Step::Name(name)) = steps.next() else { return None };
        let members = section(detail, name)?;
        let mut value = match steps.next()? {
            Step::Name(name) => members.get(name)?,
            Step::Index(_) => return None,
        };
        for step in steps {
            value = match step {
                Step::Name(name) => value.get(name)?,
                Step::Index(index) => value.get(index)?,
            };
        }
        Some(value)
    }
}

/// A name as a pointer has it.
fn escaped(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(['~', '/']) {
        name.replace('~', "~0").replace('/', "~1").into()
    } else {
        name.into()
    }
}

/// The pointer to a value that is known by names only.
pub(in crate::tui) fn pointer_of(names: &[&str]) -> String {
    names.iter().fold(String::new(), |pointer, name| format!("{pointer}/{}", escaped(name)))
}

/// Whether a name can follow a dot.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

//! What lies over the screen and takes the keys: questions, inputs, help.

use ratatui_textarea::TextArea;
use serde_json::Value;

use super::{
    explaining::Explaining,
    export::Content,
    operator::{Operation, Preview},
    rows::ListId,
};
use crate::{
    blueprint::{BlueprintId, RunId},
    monitor::{ChildRun, DeadLetterRow},
};

/// The most text an input takes, in bytes.
pub(super) const INPUT_LIMIT: usize = 256 * 1024;

/// What lies over the screen.
pub(super) enum Dialog {
    Confirm(Confirm),
    ChooseBlueprint(Picker),
    Start(StartForm),
    Answer(AnswerForm),
    Explain(Explaining),
    Palette(Picker),
    /// Open which child run?
    ChooseChild(ChildPicker),
    /// Write what to which file?
    Export(ExportForm),
    /// A text that is too long for its line.
    Whole(Whole),
    Filter {
        list: ListId,
        /// What the filter was, for Esc.
        before: String,
    },
    Help {
        scroll: usize,
    },
    /// A dead letter with all that is known of it.
    Letter(LetterView),
    /// Leave although nodes are still running?
    Leave(Choice),
}

impl Dialog {
    /// Takes in how far down its text really is: no further than there are lines.
    pub(super) fn scrolled_to(&mut self, line: usize) {
        match self {
            Self::Help { scroll } => *scroll = line,
            Self::Confirm(confirm) => confirm.scroll = line,
            Self::Letter(view) => view.scroll = line,
            Self::Whole(whole) => whole.scroll = line,
            Self::Start(form) => form.input.scroll = line,
            Self::Answer(form) => form.output.scroll = line,
            Self::Explain(explaining) => explaining.scroll = line,
            _ => {}
        }
    }
}

/// Which of the two buttons has the focus. The harmless one has it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Choice {
    #[default]
    No,
    Yes,
}

impl Choice {
    pub(super) fn other(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Yes => Self::No,
        }
    }
}

/// Asks whether to carry out an operation, and shows its plan.
pub(super) struct Confirm {
    pub(super) operation: Operation,
    /// Which preview it waits for.
    pub(super) ticket: u64,
    pub(super) plan: Plan,
    pub(super) choice: Choice,
    pub(super) scroll: usize,
    /// Why the plan had to be made anew.
    pub(super) moved: Option<String>,
    /// How many of the marked runs that it is about are not among the rows of the list.
    pub(super) unseen: usize,
    /// The form to go back to.
    pub(super) back: Option<Box<Dialog>>,
}

/// Shows a dead letter, as it was when it was opened.
pub(super) struct LetterView {
    pub(super) row: Box<DeadLetterRow>,
    pub(super) scroll: usize,
}

/// How far the plan is.
pub(super) enum Plan {
    Awaited,
    Ready(Preview),
    Failed(String),
}

/// A choice among things that are narrowed down by typing.
#[derive(Default)]
pub(super) struct Picker {
    pub(super) text: String,
    pub(super) index: usize,
}

/// A choice among child runs.
#[derive(Default)]
pub(super) struct ChildPicker {
    pub(super) children: Vec<ChildRun>,
    pub(super) picker: Picker,
}

/// Something that can be exported.
pub(super) struct Choosable {
    /// What to call it.
    pub(super) what: String,
    /// The name proposed for its file.
    pub(super) name: String,
    pub(super) content: Content,
}

/// Asks what to export and to which file.
pub(super) struct ExportForm {
    pub(super) choices: Vec<Choosable>,
    pub(super) choice: usize,
    /// The file's name, as it is being typed.
    pub(super) name: String,
}

/// A text shown whole, wrapped once for the width that it is drawn at.
pub(super) struct Whole {
    pub(super) title: String,
    text: String,
    pub(super) lines: Vec<String>,
    width: usize,
    /// Whether it is longer than what is shown of it.
    pub(super) cut: bool,
    pub(super) scroll: usize,
}

impl Whole {
    /// The most that is shown, in bytes: so much is wrapped within a frame.
    const LIMIT: usize = 256 * 1024;

    pub(super) fn new(title: String, text: &str, width: usize) -> Self {
        let mut end = text.len().min(Self::LIMIT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let cut = end < text.len();
        let text = text[..end].to_owned();
        let mut whole = Self { title, text, lines: Vec::new(), width: 0, cut, scroll: 0 };
        whole.wrap(width);
        whole
    }

    /// Wraps it for another width. Returns whether it was another.
    pub(super) fn wrap(&mut self, width: usize) -> bool {
        if width == self.width {
            return false;
        }
        self.width = width;
        self.lines = super::text::wrap(&self.text, width, usize::MAX);
        true
    }
}

/// The fields of the start form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartField {
    Input,
    Go,
}

/// Starts a run: the input as JSON.
pub(super) struct StartForm {
    pub(super) blueprint: BlueprintId,
    pub(super) input: JsonInput,
    pub(super) field: StartField,
}

/// The fields of the answer form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerField {
    Node,
    Action,
    Output,
    Go,
}

/// Answers a waiting node.
pub(super) struct AnswerForm {
    pub(super) run: RunId,
    pub(super) node: usize,
    /// 0 is no action, then those that the edges name.
    pub(super) action: usize,
    pub(super) output: JsonInput,
    pub(super) field: AnswerField,
}

/// A text that should be JSON, checked with every key.
pub(super) struct JsonInput {
    pub(super) area: TextArea<'static>,
    pub(super) value: Result<Option<Value>, JsonProblem>,
    wanted: WantedJson,
    /// The first line in view when it was last drawn.
    pub(super) scroll: usize,
}

/// What a JSON input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WantedJson {
    /// A run's context.
    Object,
    /// Any value.
    Any,
}

/// Why a text is not JSON, or not what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonProblem {
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    pub(super) problem: String,
}

impl JsonInput {
    pub(super) fn new(text: &str, wanted: WantedJson) -> Self {
        let lines: Vec<String> =
            text.lines().map(|line| super::text::clean(line).into_owned()).collect();
        let mut area = TextArea::new(lines);
        area.set_tab_length(2);
        area.set_cursor_line_style(ratatui::style::Style::new());
        let mut input = Self { area, value: Ok(None), wanted, scroll: 0 };
        input.check();
        input
    }

    pub(super) fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Puts another text in place of this one. It can be undone.
    pub(super) fn replace(&mut self, text: &str) {
        self.area.select_all();
        self.area.cut();
        let lines: Vec<_> = text.lines().map(super::text::clean).collect();
        self.area.insert_str(lines.join("\n"));
        self.check();
    }

    pub(super) fn bytes(&self) -> usize {
        self.area.lines().iter().map(|line| line.len() + 1).sum()
    }

    /// Puts a pasted text in, as far as there is room. Returns whether all of it fitted.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        let room = INPUT_LIMIT.saturating_sub(self.bytes());
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let lines: Vec<_> = text[..end].lines().map(super::text::clean).collect();
        let last = if text[..end].ends_with('\n') { "\n" } else { "" };
        self.area.insert_str(format!("{}{last}", lines.join("\n")));
        self.check();
        end == text.len()
    }

    /// Checks the text after it was changed.
    pub(super) fn check(&mut self) {
        let text = self.text();
        self.value = if text.trim().is_empty() {
            Ok(None)
        } else {
            serde_json::from_str(&text).map(Some).map_err(|error| {
                let line = self.area.lines().get(error.line().saturating_sub(1));
                JsonProblem {
                    line: error.line(),
                    column: characters(line.map_or("", String::as_str), error.column()),
                    problem: error
                        .to_string()
                        .split(" at line ")
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                }
            })
        };
        if let (WantedJson::Object, Ok(Some(value))) = (self.wanted, &self.value)
            && !value.is_object()
        {
            let before = text.len() - text.trim_start().len();
            let line = text[..before].matches('\n').count() + 1;
            let column = text[..before].rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let problem = "an object is wanted, such as {\"name\": \"Ada\"}".to_owned();
            self.value = Err(JsonProblem { line, column, problem });
        }
    }
}

/// How many characters the first `bytes` bytes of a line are.
fn characters(line: &str, bytes: usize) -> usize {
    line.char_indices().take_while(|(at, _)| *at < bytes).count().max(bytes.min(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use super::*;

    #[test]
    fn a_mistake_in_json_has_a_place() {
        let input = JsonInput::new("{\n  \"a\": 1,\n  b: 2\n}", WantedJson::Any);
        let problem = input.value.unwrap_err();
        assert_eq!((problem.line, problem.column), (3, 3));
        assert!(!problem.problem.contains("line"), "{}", problem.problem);
        assert_eq!(JsonInput::new(" \n ", WantedJson::Object).value, Ok(None));
        assert_eq!(JsonInput::new("[1]", WantedJson::Any).value, Ok(Some(serde_json::json!([1]))));
        let problem = JsonInput::new("\n  [1]", WantedJson::Object).value.unwrap_err();
        assert_eq!((problem.line, problem.column), (2, 3));
        assert!(problem.problem.starts_with("an object is wanted"), "{problem:?}");
        assert!(JsonInput::new("{}", WantedJson::Object).value.is_ok());
    }

    #[test]
    fn a_paste_is_cleaned_and_limited() {
        let mut input = JsonInput::new("", WantedJson::Any);
        assert!(input.paste("{\n\t\"a\": \"\u{1b}[2J\"\n}"));
        assert!(input.area.lines().iter().all(|line| !line.chars().any(char::is_control)));
        assert_eq!(input.area.lines().len(), 3);
        let mut input = JsonInput::new("", WantedJson::Any);
        assert!(!input.paste(&"é".repeat(INPUT_LIMIT)));
        assert!(input.bytes() <= INPUT_LIMIT + 1);
    }
}

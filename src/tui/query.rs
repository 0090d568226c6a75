//! What can be asked of the list of runs: `status:failed,awaiting age>5m -blueprint:ship words`.

use std::{fmt::Write as _, time::Duration};

use crate::{
    engine::{RunStatus, Timestamp},
    monitor::RunRow,
};

/// A term, as it is explained.
#[derive(Debug, Clone, Copy)]
pub(super) struct TermInfo {
    /// Its name with what usually follows it.
    pub(super) name: &'static str,
    pub(super) example: &'static str,
    pub(super) meaning: &'static str,
}

const fn term(name: &'static str, example: &'static str, meaning: &'static str) -> TermInfo {
    TermInfo { name, example, meaning }
}

/// The terms there are. Help, README, hints and completion come from here.
pub(super) static TERMS: [TermInfo; 10] = [
    term("status:", "status:failed,awaiting", "one of these statuses; the beginning is enough"),
    term("blueprint:", "blueprint:order", "the blueprint's id contains this"),
    term("age>", "age>5m age<2h", "started longer ago, less long ago"),
    term("touched>", "touched>10m", "nobody has touched it for so long"),
    term("error:", "error:\"disk full\"", "the error contains this; alone: has an error"),
    term("worker:", "worker:eu-1", "the worker that touched it last"),
    term("parent:", "parent:order-4711", "part of this run; alone: part of any"),
    term("nodes>", "nodes>100", "has more, less (<) or just so many (=) nodes"),
    term("progress<", "progress<50%", "the share of its nodes that are completed"),
    term("stalled", "stalled", "should move and does not"),
];

/// What may follow a term, and has no name.
pub(super) static WORDS: [TermInfo; 3] = [
    term("-", "-status:completed", "in front of a term or a word: those it does not fit"),
    term("word", "ordr 47", "letters in this order, somewhere in id, blueprint, status or note"),
    term("\"", "\"10:30\"", "just this text"),
];

/// The table of terms in Markdown, for the README.
pub fn filter_table_markdown() -> String {
    let mut table = "| term | finds runs |\n| --- | --- |\n".to_owned();
    for info in TERMS.iter().chain(&WORDS) {
        let example = info.example.replace(' ', "` `");
        let example = if info.example.contains('"') { info.example } else { &example };
        // Writing to a String can't fail.
        let _ = writeln!(table, "| `{example}` | {} |", info.meaning);
    }
    table
}

/// The words that statuses go by.
const STATUSES: [&str; 7] =
    ["running", "awaiting", "completed", "failed", "cancelled", "stalled", "unknown"];

/// What a filter asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Query {
    pub(super) terms: Vec<Term>,
    pub(super) words: Vec<Word>,
    /// What could not be understood, and is left out.
    pub(super) problem: Option<String>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    sense: Sense,
    test: Test,
}

/// Whether what a condition fits is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    Wanted,
    Unwanted,
}

/// A word that has no name in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Its letters in their order.
    Fuzzy(String),
    /// Just as it is.
    Literal(String),
    /// Not this.
    Without(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Status(Vec<String>),
    Blueprint(Vec<String>),
    Worker(Vec<String>),
    Parent(Vec<String>),
    Error(Vec<String>),
    Age(Bound<Duration>),
    Touched(Bound<Duration>),
    Nodes(Bound<u64>),
    Progress(Bound<u64>),
    Stalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound<T> {
    is: Is,
    value: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
}

impl<T: PartialOrd> Bound<T> {
    fn holds(&self, value: &T) -> bool {
        match self.is {
            Is::Above => *value > self.value,
            Is::AtLeast => *value >= self.value,
            Is::Below => *value < self.value,
            Is::AtMost => *value <= self.value,
            Is::Equal => *value == self.value,
        }
    }
}

impl Query {
    /// Reads what was typed. What can't be understood is left out and said.
    pub(super) fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for token in tokens(text) {
            match token.read() {
                Ok(Some(Asked::Term(term))) => query.terms.push(term),
                Ok(Some(Asked::Word(word))) => query.words.push(word),
                Ok(None) => {}
                Err(problem) => {
                    query.problem.get_or_insert(problem);
                }
            }
        }
        query
    }

    /// Only words: for what has no terms.
    pub(super) fn words(text: &str) -> Self {
        let words = text.split_whitespace().map(|word| Word::Fuzzy(word.to_owned())).collect();
        Self { words, ..Self::default() }
    }

    /// Whether the terms let a run through.
    pub(super) fn takes(&self, row: &RunRow, now: Timestamp) -> bool {
        self.terms.iter().all(|term| term.test.holds(row, now) == (term.sense == Sense::Wanted))
    }

    /// When the terms may say something else of a run that does not change.
    pub(super) fn turns_at(&self, row: &RunRow, now: Timestamp) -> Option<Timestamp> {
        let turns = self.terms.iter().filter_map(|term| {
            let (from, bound) = match &term.test {
                Test::Age(bound) => (row.item.started_at?, bound),
                Test::Touched(bound) => (row.item.last_updated, bound),
                _ => return None,
            };
            let at = from + bound.value;
            // Just then it is neither above nor below.
            let beyond = matches!(bound.is, Is::Above | Is::AtMost);
            let at = if beyond { at + Duration::from_millis(1) } else { at };
            Some(at).filter(|at| *at > now)
        });
        turns.min()
    }
}

impl Test {
    fn holds(&self, row: &RunRow, now: Timestamp) -> bool {
        let item = &row.item;
        match self {
            Self::Status(any) => {
                let status = item.status.map_or("unknown", RunStatus::as_str);
                any.iter().any(|wanted| {
                    status.starts_with(wanted.as_str())
                        || (row.stalled && "stalled".starts_with(wanted.as_str()))
                })
            }
            Self::Blueprint(any) => has(item.blueprint_id.as_deref(), any),
            Self::Worker(any) => has(item.worker.as_deref(), any),
            Self::Parent(any) => has(item.parent_run_id.as_deref(), any),
            Self::Error(any) => has(item.error.as_deref(), any),
            Self::Age(bound) => item.started_at.is_some_and(|at| bound.holds(&now.since(at))),
            Self::Touched(bound) => bound.holds(&now.since(item.last_updated)),
            Self::Nodes(bound) => item.nodes.is_some_and(|it| bound.holds(&u64::from(it.total))),
            Self::Progress(bound) => item.nodes.is_some_and(|nodes| {
                let done = u64::from(nodes.completed) * 100;
                done.checked_div(u64::from(nodes.total)).is_some_and(|part| bound.holds(&part))
            }),
            Self::Stalled => row.stalled,
        }
    }
}

/// Whether a text contains any of these, which are in lower case. An empty one is in every text.
fn has(text: Option<&str>, any: &[String]) -> bool {
    let Some(text) = text else { return false };
    any.iter().any(|wanted| contains(text, wanted))
}

/// Whether a text contains another that is in lower case. Most texts are plain, and then nothing
/// has to be made lower.
fn contains(text: &str, lower: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    lower.is_empty() || text.windows(lower.len()).any(|part| part.eq_ignore_ascii_case(lower))
}

/// What a token asks for.
enum Asked {
    Term(Term),
    Word(Word),
}

/// A token: a stretch of text without spaces, but for those between quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Token {
    /// Without its quotes.
    text: String,
    /// Where quotes began first, if there were any.
    quoted: Option<usize>,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut token = Token::default();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '"' => {
                inside = !inside;
                token.quoted.get_or_insert(token.text.len());
            }
            c if c.is_whitespace() && !inside => tokens.push(std::mem::take(&mut token)),
            c => token.text.push(c),
        }
    }
    tokens.push(token);
    tokens.retain(|token| !token.text.is_empty());
    tokens
}

impl Token {
    fn read(&self) -> Result<Option<Asked>, String> {
        let plain = &self.text[..self.quoted.unwrap_or(self.text.len())];
        let (sense, plain, offset) = match plain.strip_prefix('-') {
            Some(rest) => (Sense::Unwanted, rest, 1),
            None => (Sense::Wanted, plain, 0),
        };
        let whole = &self.text[offset..];
        let term = |test| Ok(Some(Asked::Term(Term { sense, test })));
        if plain.eq_ignore_ascii_case("stalled") && plain.len() == whole.len() {
            return term(Test::Stalled);
        }
        let named = plain
            .find([':', '>', '<', '='])
            .filter(|at| *at > 0 && plain[..*at].bytes().all(|byte| byte.is_ascii_alphabetic()));
        if let Some(at) = named {
            let (is, from) = operator(&whole[at..]);
            let name = plain[..at].to_ascii_lowercase();
            return match test(&name, is, &whole[at + from..])? {
                Some(test) => term(test),
                None => Ok(None),
            };
        }
        if whole.is_empty() {
            return Ok(None);
        }
        let word = whole.to_owned();
        Ok(Some(Asked::Word(match (sense, self.quoted) {
            (Sense::Unwanted, _) => Word::Without(word),
            (Sense::Wanted, Some(_)) => Word::Literal(word),
            (Sense::Wanted, None) => Word::Fuzzy(word),
        })))
    }
}

/// The operator that a text begins with, nothing if it is a colon, and how long it is.
fn operator(text: &str) -> (Option<Is>, usize) {
    let operators = [
        (">=", Some(Is::AtLeast)),
        ("<=", Some(Is::AtMost)),
        (":>", Some(Is::Above)),
        (":<", Some(Is::Below)),
        (">", Some(Is::Above)),
        ("<", Some(Is::Below)),
        ("=", Some(Is::Equal)),
    ];
    let found = operators.into_iter().find(|(sign, _)| text.starts_with(sign));
    found.map_or((None, 1), |(sign, is)| (is, sign.len()))
}

/// The condition of a name, an operator and a value; nothing while there is no value yet.
fn test(name: &str, is: Option<Is>, value: &str) -> Result<Option<Test>, String> {
    let any = || -> Vec<String> {
        let parts = value.split(',').filter(|part| !part.is_empty());
        let any: Vec<String> = parts.map(str::to_lowercase).collect();
        // Alone, a name asks for any value.
        if any.is_empty() { vec![String::new()] } else { any }
    };
    let test = match name {
        "status" => {
            let any = any();
            let known = |word: &String| STATUSES.iter().any(|it| it.starts_with(word.as_str()));
            if let Some(unknown) = any.iter().find(|word| !known(word)) {
                let known = STATUSES.join(", ");
                return Err(format!("no status begins with \"{unknown}\": {known}"));
            }
            Test::Status(any)
        }
        "blueprint" => Test::Blueprint(any()),
        "worker" => Test::Worker(any()),
        "parent" => Test::Parent(any()),
        "error" => Test::Error(any()),
        "age" => Test::Age(time(name, is, value)?),
        "touched" => Test::Touched(time(name, is, value)?),
        "nodes" => Test::Nodes(number(name, is, value, "100")?),
        "progress" => {
            let value = value.strip_suffix('%').unwrap_or(value);
            Test::Progress(number(name, is, value, "50%")?)
        }
        "stalled" => return Err("`stalled` stands alone, or as -stalled".to_owned()),
        unknown => {
            let near = |known: &&str| strsim::jaro_winkler(unknown, known) > 0.8;
            let names = TERMS.iter().map(|info| info.name.trim_end_matches([':', '>', '<']));
            let meant = names.clone().find(near);
            let meant = meant.map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
            return Err(format!("there is no term `{unknown}`{meant}"));
        }
    };
    match is {
        Some(Is::Above | Is::AtLeast | Is::Below | Is::AtMost) if is_text(&test) => {
            Err(format!("write {name}:… with a colon"))
        }
        _ => Ok(Some(test)),
    }
}

fn is_text(test: &Test) -> bool {
    !matches!(test, Test::Age(_) | Test::Touched(_) | Test::Nodes(_) | Test::Progress(_))
}

fn time(name: &str, is: Option<Is>, value: &str) -> Result<Bound<Duration>, String> {
    let Some(is) = is.filter(|is| *is != Is::Equal) else {
        return Err(format!("write {name}>5m or {name}<5m"));
    };
    let value = humantime::parse_duration(value)
        .map_err(|_| format!("{name} takes a time: 30s, 5m, 2h, 1d"))?;
    Ok(Bound { is, value })
}

fn number(name: &str, is: Option<Is>, value: &str, example: &str) -> Result<Bound<u64>, String> {
    let value = value
        .parse()
        .map_err(|_| format!("{name} takes a number: {name}>{example}, {name}<{example}"))?;
    Ok(Bound { is: is.unwrap_or(Is::Equal), value })
}

/// How what is being typed may go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Completion {
    /// How many bytes at the end are replaced by a choice.
    typed: usize,
    pub(super) choices: Vec<String>,
}

impl Completion {
    /// The ways in which a text can go on: names of terms, statuses, and what `blueprints` gives.
    pub(super) fn of<'a>(text: &str, blueprints: impl Iterator<Item = &'a str>) -> Self {
        let token = text.rsplit(char::is_whitespace).next().unwrap_or_default();
        let token = token.strip_prefix('-').unwrap_or(token);
        let Some((name, values)) = token.split_once(':') else {
            let lower = token.to_lowercase();
            let fits = |name: &&str| !lower.is_empty() && name.starts_with(&lower);
            let choices = TERMS.iter().map(|info| info.name).filter(fits);
            let choices = choices.filter(|name| *name != lower).map(str::to_owned).collect();
            return Self { typed: token.len(), choices };
        };
        let value = values.rsplit(',').next().unwrap_or_default();
        let lower = value.to_lowercase();
        let fits = |choice: &&str| choice.to_lowercase().starts_with(&lower) && *choice != value;
        let choices = match name.to_lowercase().as_str() {
            "status" => STATUSES.into_iter().filter(fits).map(str::to_owned).collect(),
            "blueprint" => blueprints.filter(fits).take(20).map(quoted).collect(),
            _ => Vec::new(),
        };
        Self { typed: value.len(), choices }
    }

    /// A text with its end replaced by the first choice; nothing if there is none.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let kept = text.get(..text.len().checked_sub(self.typed)?)?;
        self.choices.first().map(|choice| format!("{kept}{choice}"))
    }
}

fn quoted(value: &str) -> String {
    if value.contains(char::is_whitespace) { format!("\"{value}\"") } else { value.to_owned() }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;

//! The log lines that are kept, and which of them are shown: by level and target, and by a search.

use std::collections::{HashMap, VecDeque};

use tracing::Level;

use super::log::LogLine;
use crate::engine::Timestamp;

/// How many lines are kept.
const LINES: usize = 100_000;

/// How many bytes of text are kept.
const BYTES: usize = 32 * 1024 * 1024;

/// How many targets are told apart; what comes beyond counts as the last one.
const TARGETS: usize = 1_000;

/// How many bytes of text are kept in one piece.
const BLOCK: usize = 64 * 1024;

/// A line that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) text: &'a str,
}

/// The same as it is stored.
#[derive(Debug)]
struct Stored {
    at: Timestamp,
    /// The number of the block that its text is in.
    block: u32,
    start: u32,
    length: u32,
    target: u16,
    level: Level,
}

/// The texts of many lines, put one after another into pieces of memory: one by one they would take
/// twice as much.
#[derive(Debug, Default)]
struct Texts {
    blocks: VecDeque<String>,
    /// The number of the oldest block that is kept.
    first: u32,
}

impl Texts {
    /// Puts a text in. Returns its block and where it begins there.
    fn put(&mut self, text: &str) -> (u32, u32) {
        let fits = |block: &String| block.len() + text.len() <= BLOCK;
        if !self.blocks.back().is_some_and(fits) {
            self.blocks.push_back(String::with_capacity(BLOCK.max(text.len())));
        }
        let number = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let mut start = 0;
        if let Some(block) = self.blocks.back_mut() {
            start = u32::try_from(block.len()).unwrap_or(u32::MAX);
            block.push_str(text);
        }
        (self.first.wrapping_add(number), start)
    }

    fn get(&self, stored: &Stored) -> &str {
        let block = stored.block.wrapping_sub(self.first) as usize;
        let start = stored.start as usize;
        let text =
            self.blocks.get(block).and_then(|it| it.get(start..start + stored.length as usize));
        text.unwrap_or_default()
    }

    /// Forgets all blocks before one.
    fn drop_before(&mut self, block: u32) {
        while self.first != block && self.blocks.pop_front().is_some() {
            self.first = self.first.wrapping_add(1);
        }
    }
}

/// A part of the program that logs, and how much of it is shown.
#[derive(Debug)]
pub(super) struct LogTarget {
    pub(super) name: String,
    pub(super) shown: Shown,
}

/// How much of a target is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// This level and what is graver.
    UpTo(Level),
}

impl Shown {
    const ALL: [Self; 6] = [
        Self::Nothing,
        Self::UpTo(Level::ERROR),
        Self::UpTo(Level::WARN),
        Self::UpTo(Level::INFO),
        Self::UpTo(Level::DEBUG),
        Self::UpTo(Level::TRACE),
    ];

    pub(super) fn shows(self, level: Level) -> bool {
        matches!(self, Self::UpTo(most) if level <= most)
    }

    fn turned(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|shown| *shown == self).unwrap_or(0);
        Self::ALL[at.saturating_add_signed(by).min(Self::ALL.len() - 1)]
    }
}

/// The lines. Each has a number that stays the same; those that are dropped are the oldest.
#[derive(Default)]
pub(super) struct LogBook {
    entries: VecDeque<Stored>,
    texts: Texts,
    /// The number of the oldest one that is kept.
    first: u64,
    bytes: usize,
    targets: Vec<LogTarget>,
    numbers: HashMap<String, u16>,
    /// The places of targets in the order of their names.
    by_name: Vec<u16>,
    /// The only target that is shown, if one is.
    only: Option<u16>,
    search: Search,
    /// The numbers of the lines that are shown, so that drawing need not look for them.
    shown: VecDeque<u64>,
}

impl LogBook {
    /// Takes lines in.
    pub(super) fn add(&mut self, lines: Vec<LogLine>) {
        for line in lines {
            let target = self.number_of(&line.target);
            self.bytes += line.text.len();
            let (block, start) = self.texts.put(&line.text);
            let length = u32::try_from(line.text.len()).unwrap_or(u32::MAX);
            let entry = Stored { at: line.at, block, start, length, target, level: line.level };
            if self.takes(&entry) {
                self.shown.push_back(self.first + self.entries.len() as u64);
            }
            self.entries.push_back(entry);
            while self.entries.len() > LINES || self.bytes > BYTES {
                self.drop_oldest();
            }
        }
    }

    fn drop_oldest(&mut self) {
        let Some(gone) = self.entries.pop_front() else { return };
        self.bytes -= gone.length as usize;
        if let Some(oldest) = self.entries.front() {
            self.texts.drop_before(oldest.block);
        }
        if self.shown.front() == Some(&self.first) {
            self.shown.pop_front();
        }
        self.first += 1;
    }

    fn number_of(&mut self, target: &str) -> u16 {
        if let Some(number) = self.numbers.get(target) {
            return *number;
        }
        let number = u16::try_from(self.targets.len().min(TARGETS - 1)).unwrap_or(u16::MAX);
        if self.targets.len() < TARGETS {
            let target = LogTarget { name: target.to_owned(), shown: Shown::UpTo(Level::TRACE) };
            let place =
                self.by_name.partition_point(|at| self.targets[*at as usize].name < target.name);
            self.by_name.insert(place, number);
            self.numbers.insert(target.name.clone(), number);
            self.targets.push(target);
        }
        number
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many lines are kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many lines are shown.
    pub(super) fn count(&self) -> usize {
        self.shown.len()
    }

    /// The line at a place among those that are shown.
    pub(super) fn get(&self, place: usize) -> Option<Entry<'_>> {
        let number = *self.shown.get(place)?;
        let stored = self.entries.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        Some(Entry { at: stored.at, level: stored.level, text: self.texts.get(stored) })
    }

    /// The number of the line at a place.
    pub(super) fn number(&self, place: usize) -> Option<u64> {
        self.shown.get(place).copied()
    }

    /// The place of the line of a number, or of the next one that is shown.
    pub(super) fn place(&self, number: u64) -> usize {
        self.shown.partition_point(|shown| *shown < number)
    }

    /// The targets by name.
    pub(super) fn targets(&self) -> impl ExactSizeIterator<Item = &LogTarget> {
        self.by_name.iter().map(|at| &self.targets[*at as usize])
    }

    /// Whether only this target is shown, by its place among the names.
    pub(super) fn is_only(&self, place: usize) -> bool {
        self.only.is_some() && self.by_name.get(place).copied() == self.only
    }

    /// The name of the only target that is shown.
    pub(super) fn only(&self) -> Option<&str> {
        self.only.map(|at| self.targets[at as usize].name.as_str())
    }

    /// Shows one level more or less of a target.
    pub(super) fn turn(&mut self, place: usize, by: isize) {
        if let Some(at) = self.by_name.get(place) {
            let target = &mut self.targets[*at as usize];
            target.shown = target.shown.turned(by);
            self.select();
        }
    }

    /// Shows only this target, or all again.
    pub(super) fn toggle_only(&mut self, place: usize) {
        let target = self.by_name.get(place).copied();
        self.only = if self.only == target { None } else { target };
        self.select();
    }

    /// Shows only lines with these words in them.
    pub(super) fn search(&mut self, text: &str) {
        if self.search.text != text {
            self.search = Search::of(text);
            self.select();
        }
    }

    /// Where the words that are searched are in a text, in bytes.
    pub(super) fn found_in(&self, text: &str) -> Vec<(usize, usize)> {
        self.search.found_in(text)
    }

    fn takes(&self, entry: &Stored) -> bool {
        self.only.is_none_or(|only| only == entry.target)
            && self.targets[entry.target as usize].shown.shows(entry.level)
            && (self.search.is_empty() || self.search.takes(self.texts.get(entry)))
    }

    fn select(&mut self) {
        let numbers = self.first..;
        let shown = numbers.zip(&self.entries).filter(|(_, entry)| self.takes(entry));
        self.shown = shown.map(|(number, _)| number).collect();
    }
}

/// What is searched: words that must be there, and with a minus in front words that must not.
#[derive(Debug, Default)]
struct Search {
    text: String,
    /// In lower case.
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

impl Search {
    fn of(text: &str) -> Self {
        let mut search = Self { text: text.to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            match word.strip_prefix('-') {
                Some("") => {}
                Some(word) => search.unwanted.push(word.to_lowercase()),
                None => search.wanted.push(word.to_lowercase()),
            }
        }
        search
    }

    fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    fn takes(&self, text: &str) -> bool {
        self.wanted.iter().all(|word| find(text, word, 0).is_some())
            && !self.unwanted.iter().any(|word| find(text, word, 0).is_some())
    }

    fn found_in(&self, text: &str) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for word in &self.wanted {
            let mut from = 0;
            while let Some(at) = find(text, word, from) {
                found.push((at, at + word.len()));
                from = at + word.len();
            }
        }
        found.sort_unstable();
        found
    }
}

/// Where a word begins in a text, from a place on. Only letters from a to z are alike in both cases.
fn find(text: &str, lower: &str, from: usize) -> Option<usize> {
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    let (first, last) = (*lower.first()?, text.len().checked_sub(lower.len())?);
    (from..=last).find(|at| {
        text[*at].to_ascii_lowercase() == first
            && text[*at..*at + lower.len()].eq_ignore_ascii_case(lower)
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn line(target: &'static str, level: Level, text: &str) -> LogLine {
        let target = Cow::Borrowed(target);
        LogLine { at: Timestamp::default(), level, target, text: text.to_owned() }
    }

    fn shown(book: &LogBook) -> Vec<&str> {
        (0..book.count()).filter_map(|at| book.get(at)).map(|entry| entry.text).collect()
    }

    fn book() -> LogBook {
        let mut book = LogBook::default();
        book.add(vec![
            line("worker", Level::INFO, "took run-1"),
            line("node::mail", Level::WARN, "Bounced: run-1"),
            line("worker", Level::DEBUG, "renewed"),
            line("monitor", Level::ERROR, "no answer"),
        ]);
        book
    }

    #[test]
    fn levels_of_targets_are_shown_and_hidden() {
        let mut book = book();
        let names: Vec<_> = book.targets().map(|target| target.name.clone()).collect();
        assert_eq!(names, ["monitor", "node::mail", "worker"]);
        book.turn(2, -1);
        assert_eq!(book.count(), 4, "there is no trace");
        book.turn(2, -1);
        assert_eq!(shown(&book), ["took run-1", "Bounced: run-1", "no answer"]);
        for _ in 0..9 {
            book.turn(2, -1);
        }
        assert_eq!(shown(&book), ["Bounced: run-1", "no answer"]);
        book.add(vec![line("worker", Level::ERROR, "late")]);
        assert_eq!(book.count(), 2, "what comes later is hidden, too");
        book.turn(2, 1);
        assert_eq!(shown(&book), ["Bounced: run-1", "no answer", "late"]);
    }

    #[test]
    fn one_target_alone_and_all_again() {
        let mut book = book();
        book.toggle_only(1);
        assert_eq!((shown(&book), book.only()), (vec!["Bounced: run-1"], Some("node::mail")));
        book.add(vec![line("a first target", Level::INFO, "new")]);
        assert!(book.is_only(2) && !book.is_only(1), "it is known by more than its place");
        book.toggle_only(2);
        assert_eq!(book.count(), 5);
    }

    #[test]
    fn a_search_finds_words_whatever_their_case() {
        let mut book = book();
        book.search("RUN-1");
        assert_eq!(shown(&book), ["took run-1", "Bounced: run-1"]);
        book.search("run-1 -bounced");
        assert_eq!(shown(&book), ["took run-1"]);
        book.add(vec![
            line("worker", Level::INFO, "ended run-1"),
            line("worker", Level::INFO, "x"),
        ]);
        assert_eq!(shown(&book), ["took run-1", "ended run-1"]);
        assert_eq!(book.found_in("Run-1, run-12"), [(0, 5), (7, 12)]);
        book.search("");
        assert_eq!(book.count(), 6);
        assert!(book.found_in("run-1").is_empty());
    }

    #[test]
    fn the_oldest_lines_go_and_numbers_stay() {
        let mut book = LogBook::default();
        book.add((0..LINES).map(|at| line("t", Level::INFO, &at.to_string())).collect());
        let number = book.number(500);
        book.search("9");
        book.add((0..600).map(|_| line("t", Level::INFO, "9 and more")).collect());
        assert_eq!(book.len(), LINES);
        assert_eq!(book.get(0).map(|entry| entry.text), Some("609"));
        assert_eq!(number.map(|number| book.place(number)), Some(0), "the next one that is kept");
        book.search("");
        assert_eq!(book.get(0).map(|entry| entry.text), Some("600"));
    }

    #[test]
    fn long_lines_count_by_their_bytes() {
        let mut book = LogBook::default();
        let long = "x".repeat(BYTES / 4);
        book.add((0..9).map(|_| line("t", Level::INFO, &long)).collect());
        assert_eq!((book.len(), book.count()), (4, 4));
    }

    #[test]
    fn targets_beyond_the_limit_count_as_one() {
        let mut book = LogBook::default();
        for at in 0..TARGETS + 20 {
            let target = Cow::Owned(format!("t{at}"));
            let (at, level) = (Timestamp::default(), Level::INFO);
            book.add(vec![LogLine { at, level, target, text: String::new() }]);
        }
        assert_eq!((book.targets().len(), book.count()), (TARGETS, TARGETS + 20));
    }
}

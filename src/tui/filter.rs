//! The filter of a list, held against its rows.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{Atom, AtomKind, CaseMatching, Normalization, Pattern},
};

use super::{
    query::{Query, Word},
    view::run_word,
};
use crate::{engine::RunStatus, engine::Timestamp, monitor::RunRow};

/// A filter, ready to be held against rows.
pub(super) struct Filter {
    query: Query,
    words: Option<Words>,
    /// The words of a row, kept for the sake of its memory.
    text: String,
}

/// The words of a filter, and what is needed to look for them.
struct Words {
    pattern: Pattern,
    matcher: Matcher,
    buffer: Vec<char>,
}

impl Filter {
    /// A filter of words.
    pub(super) fn parse(text: &str) -> Self {
        Self::of(Query::words(text))
    }

    /// A filter of the runs: words, and terms such as `status:failed`.
    pub(super) fn of_runs(text: &str) -> Self {
        Self::of(Query::parse(text))
    }

    fn of(query: Query) -> Self {
        let words = (!query.words.is_empty()).then(|| Words {
            pattern: pattern(&query.words),
            matcher: Matcher::new(Config::DEFAULT),
            buffer: Vec::new(),
        });
        Self { query, words, text: String::new() }
    }

    /// Whether it lets everything through.
    pub(super) fn is_empty(&self) -> bool {
        self.query.terms.is_empty() && self.words.is_none()
    }

    /// When it may say something else of a run that does not change.
    pub(super) fn turns_at(&self, row: &RunRow, now: Timestamp) -> Option<Timestamp> {
        self.query.turns_at(row, now)
    }

    /// Whether it lets a run through. Words are looked for in all that its row says in words.
    pub(super) fn takes_run(&mut self, row: &RunRow, now: Timestamp) -> bool {
        if !self.query.takes(row, now) {
            return false;
        }
        let Some(words) = &mut self.words else { return true };
        write_words(row, &mut self.text);
        words.are_in(&self.text)
    }

    /// Whether it lets a row with this text through. Only words count.
    pub(super) fn takes_words(&mut self, text: &str) -> bool {
        self.words.as_mut().is_none_or(|words| words.are_in(text))
    }
}

impl Words {
    fn are_in(&mut self, text: &str) -> bool {
        let text = Utf32Str::new(text, &mut self.buffer);
        self.pattern.score(text, &mut self.matcher).is_some()
    }
}

fn pattern(words: &[Word]) -> Pattern {
    let (case, normal) = (CaseMatching::Ignore, Normalization::Smart);
    let literal = |text: &str| Atom::new(text, case, normal, AtomKind::Substring, false);
    let atoms = words.iter().map(|word| match word {
        Word::Fuzzy(text) => Atom::parse(text, case, normal),
        Word::Literal(text) => literal(text),
        Word::Without(text) => {
            let mut atom = literal(text);
            atom.negative = true;
            atom
        }
    });
    let mut pattern = Pattern::default();
    pattern.atoms = atoms.collect();
    pattern
}

/// Writes what a run's row says in words: its ids, its status and its note, but for times, which
/// change by themselves.
fn write_words(row: &RunRow, text: &mut String) {
    let item = &row.item;
    let (_, status, _) = run_word(row);
    text.clear();
    let parts: [&str; 4] = match (&item.error, item.status, &item.parent_run_id) {
        (Some(error), ..) => [error, "", "", ""],
        _ if item.next_due_at.is_some() && !item.status.is_some_and(RunStatus::is_final) => {
            ["timer due", "", "", ""]
        }
        _ if row.stalled => match &item.worker {
            Some(worker) => ["silent", "last by", worker, ""],
            None => ["silent", "", "", ""],
        },
        (_, Some(RunStatus::Awaiting), _) => ["waits for an answer", "", "", ""],
        (_, _, Some(parent)) => ["part of", parent, "", ""],
        _ => [""; 4],
    };
    let blueprint = item.blueprint_id.as_deref().unwrap_or_default();
    for part in [item.run_id.as_str(), blueprint, status].into_iter().chain(parts) {
        if !part.is_empty() {
            text.push_str(part);
            text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::StatusItem, engine::RunStatus};

    fn row(run: &str, blueprint: &str, status: RunStatus, stalled: bool) -> RunRow {
        let item = StatusItem {
            run_id: run.into(),
            status: Some(status),
            last_updated: Timestamp::default(),
            blueprint_id: Some(blueprint.into()),
            started_at: None,
            nodes: None,
            error: None,
            parent_run_id: None,
            next_due_at: None,
            worker: None,
            final_status: None,
            remarks: crate::cluster::Remarks::default(),
        };
        RunRow { item, stalled }
    }

    fn takes(filter: &str, row: &RunRow) -> bool {
        Filter::of_runs(filter).takes_run(row, Timestamp::default())
    }

    #[test]
    fn terms_and_words_narrow_together() {
        let order = row("order-4711", "Order-Intake", RunStatus::Running, true);
        let bill = row("bill-1", "billing", RunStatus::Failed, false);
        for filter in [
            "",
            "status:run",
            "stalled",
            "status:stalled",
            "blueprint:order",
            "4711",
            "ordr",
            "status:running 47",
        ] {
            assert!(takes(filter, &order), "{filter}");
        }
        assert!(takes("status:fail", &bill));
        for filter in ["status:running", "stalled", "4711", "blueprint:order"] {
            assert!(!takes(filter, &bill), "{filter}");
        }
        assert!(!takes("status:failed 4711", &order));
    }

    #[test]
    fn words_can_be_literal_and_unwanted() {
        let order = row("order-4711", "Order-Intake", RunStatus::Running, false);
        assert!(takes("odr", &order) && !takes("\"odr\"", &order));
        assert!(takes("\"Order-47\"", &order) && takes("-bill", &order));
        assert!(!takes("order -4711", &order));
    }

    #[test]
    fn words_are_found_in_the_status_and_in_the_note() {
        let mut awaiting = row("a1", "x", RunStatus::Awaiting, false);
        assert!(takes("awaiting", &awaiting));
        assert!(takes("answer", &awaiting), "waits for an answer");
        assert!(!takes("completed", &awaiting));
        awaiting.item.error = Some("disk full".to_owned());
        assert!(takes("disk", &awaiting));
        let mut child = row("c1", "x", RunStatus::Completed, false);
        assert!(takes("completed", &child) && !takes("parent-7", &child));
        child.item.parent_run_id = Some("parent-7".into());
        assert!(takes("parent-7", &child));
        let stalled = row("s1", "x", RunStatus::Running, true);
        assert!(takes("silent", &stalled) && !takes("running", &stalled), "its word is stalled");
    }
}

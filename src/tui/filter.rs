//! The filter of a list: `status:failed blueprint:order stalled some words`.

use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};

use super::view::{note, run_word};
use crate::{engine::Timestamp, monitor::RunRow};

/// A filter, ready to be held against rows.
pub(super) struct Filter {
    terms: Vec<Term>,
    words: Option<Pattern>,
    matcher: Matcher,
    buffer: Vec<char>,
}

enum Term {
    Status(String),
    Blueprint(String),
    Stalled,
}

impl Filter {
    /// A filter from what was typed.
    pub(super) fn parse(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut words = Vec::new();
        for word in text.split_whitespace() {
            let lower = word.to_lowercase();
            if let Some(status) = lower.strip_prefix("status:") {
                terms.push(Term::Status(status.to_owned()));
            } else if let Some(blueprint) = lower.strip_prefix("blueprint:") {
                terms.push(Term::Blueprint(blueprint.to_owned()));
            } else if lower == "stalled" {
                terms.push(Term::Stalled);
            } else {
                words.push(word);
            }
        }
        let words = (!words.is_empty())
            .then(|| Pattern::parse(&words.join(" "), CaseMatching::Ignore, Normalization::Smart));
        Self { terms, words, matcher: Matcher::new(Config::DEFAULT), buffer: Vec::new() }
    }

    /// Whether it lets everything through.
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.words.is_none()
    }

    /// Whether it lets a run through. Words are looked for in all that its row says in words.
    pub(super) fn takes_run(&mut self, row: &RunRow, now: Timestamp) -> bool {
        let item = &row.item;
        let blueprint = item.blueprint_id.as_deref().unwrap_or_default();
        let terms = self.terms.iter().all(|term| match term {
            // The beginning of a word is enough, so that the list narrows while one types.
            Term::Status(wanted) => {
                item.status.is_some_and(|status| status.as_str().starts_with(wanted))
                    || (row.stalled && "stalled".starts_with(wanted.as_str()))
            }
            Term::Blueprint(wanted) => blueprint.to_lowercase().contains(wanted.as_str()),
            Term::Stalled => row.stalled,
        });
        if !terms || self.words.is_none() {
            return terms;
        }
        let (_, status, _) = run_word(row);
        let (note, _) = note(row, now);
        let text = format!("{} {blueprint} {status} {note}", item.run_id);
        self.takes_words(&text)
    }

    /// Whether it lets a row with this text through. Only words count.
    pub(super) fn takes_words(&mut self, text: &str) -> bool {
        let Some(words) = &self.words else { return true };
        words.score(Utf32Str::new(text, &mut self.buffer), &mut self.matcher).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::StatusItem,
        engine::{RunStatus, Timestamp},
    };

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
        Filter::parse(filter).takes_run(row, Timestamp::default())
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

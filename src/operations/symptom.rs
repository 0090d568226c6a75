//! What a dead letter says went wrong, so that those which failed alike are found together.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::masked::{masked, masked_id};
use crate::{
    blueprint::{BlueprintId, NodeId},
    cluster::{DeadLetter, Job, message_text},
};

/// What went wrong with the message of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptom {
    /// Which kind of reason it is.
    pub reason: ReasonKind,
    /// The reason in words, with `#` for what changes from one failure to the next.
    pub says: String,
    /// The blueprint, where it is known.
    pub blueprint: Option<BlueprintId>,
    /// The node, where it is known.
    pub node: Option<NodeId>,
    /// The same for all that failed alike.
    pub fingerprint: Fingerprint,
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReasonKind {
    /// Workers took it again and again, and none of them finished.
    NeverFinished,
    /// Its run has no document.
    NoRun,
    /// No worker had its blueprint, or not in the run's version.
    Blueprint,
    /// A job failed for another reason.
    Failed,
    /// It was no job.
    NotAJob,
    /// A job that another program put here, which does not say why.
    ForeignJob,
    /// Something else that another program put here.
    Foreign,
}

impl ReasonKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverFinished => "never finished",
            Self::NoRun => "no run",
            Self::Blueprint => "blueprint",
            Self::Failed => "failed",
            Self::NotAJob => "not a job",
            Self::ForeignJob => "another program's job",
            Self::Foreign => "another program's",
        }
    }

    /// The kind of a reason that a worker gave for a job.
    fn of_job(reason: &str) -> Self {
        if reason.starts_with("received ") && reason.ends_with("never finished") {
            Self::NeverFinished
        } else if reason.contains("has no document") {
            Self::NoRun
        } else if reason.contains("loaded here") || reason.contains("which blueprint it follows") {
            Self::Blueprint
        } else {
            Self::Failed
        }
    }
}

/// A short name for everything that failed alike: eight hexadecimal digits.
///
/// It is the beginning of the SHA-256 of the kind of reason, blueprint, node and reason with what
/// changes taken out; for what is no job, of the shape of its body in place of blueprint and node.
/// Which worker wrote the letter, when, and how often it was tried plays no part, so it is the same
/// on all machines and from version to version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u32);

/// What is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is eight hexadecimal digits, as `dead-letters list --group` shows them")]
pub struct BadFingerprint;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:08x}", self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadFingerprint);
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| BadFingerprint)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Fingerprint {
    fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl Symptom {
    /// What the body of a message of the poison queue says.
    pub fn of(body: &str) -> Self {
        if let Ok(letter) = DeadLetter::decode(body) {
            return Self::of_letter(&letter);
        }
        if let Ok(job) = Job::decode(body) {
            let says = "put here by another program, without a reason";
            return Self::of_job(ReasonKind::ForeignJob, &job, says.to_owned());
        }
        let shape = shape(body);
        let says = format!("put here by another program: {shape}");
        Self::of_no_job(ReasonKind::Foreign, says, &shape)
    }

    /// What a dead letter says.
    pub fn of_letter(letter: &DeadLetter) -> Self {
        let job = letter.job.clone().or_else(|| Job::decode(&letter.body).ok());
        if let Some(job) = job {
            let says = masked(&letter.reason, &[job.run_id.as_str()]);
            return Self::of_job(ReasonKind::of_job(&letter.reason), &job, says);
        }
        let shape = shape(&letter.body);
        Self::of_no_job(ReasonKind::NotAJob, masked(&letter.reason, &[]), &shape)
    }

    fn of_job(reason: ReasonKind, job: &Job, says: String) -> Self {
        let node = masked_id(&job.node_id);
        let parts = [reason.as_str(), job.blueprint_id.as_str(), &node, &says];
        Self {
            reason,
            fingerprint: Fingerprint::of(&parts),
            says,
            blueprint: Some(job.blueprint_id.clone()),
            node: Some(NodeId::from(node)),
        }
    }

    fn of_no_job(reason: ReasonKind, says: String, shape: &str) -> Self {
        let fingerprint = Fingerprint::of(&[reason.as_str(), shape, &says]);
        Self { reason, says, blueprint: None, node: None, fingerprint }
    }

    /// Where it went wrong: `blueprint/node`; nothing for what is no job.
    pub fn place(&self) -> Option<String> {
        let (blueprint, node) = (self.blueprint.as_ref()?, self.node.as_ref()?);
        Some(format!("{blueprint}/{node}"))
    }
}

/// How many members of an object its shape names.
const MEMBERS: usize = 8;

/// How long the beginning of a text is that stands for it, in characters.
const BEGINNING: usize = 60;

/// What a body looks like, whatever is in it: the names of its members, or how it begins.
fn shape(body: &str) -> String {
    let Ok(text) = message_text(body) else {
        let beginning: String = body.trim().chars().take(BEGINNING).collect();
        return match masked(&beginning, &[]) {
            empty if empty.is_empty() => "nothing".to_owned(),
            text => format!("text {text}"),
        };
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(members)) => {
            let names: BTreeSet<String> = members.keys().map(|key| masked(key, &[])).collect();
            let more = if names.len() > MEMBERS { ", …" } else { "" };
            let names: Vec<String> = names.into_iter().take(MEMBERS).collect();
            format!("an object of {}{more}", names.join(", "))
        }
        Ok(Value::Array(_)) => "a list".to_owned(),
        Ok(_) => "a bare value".to_owned(),
        Err(_) => {
            let beginning: String = text.trim().chars().take(BEGINNING).collect();
            format!("text {}", masked(&beginning, &[]))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{blueprint::RunId, engine::Timestamp};

    fn job(run: &str, node: &str) -> Job {
        Job::new(run.into(), "order-intake".into(), node.into())
    }

    fn letter(job: &Job, reason: &str) -> DeadLetter {
        DeadLetter::new(&job.encode(), reason, 5, Timestamp::from_seconds(9), "w".into())
    }

    fn print(job: &Job, reason: &str) -> Fingerprint {
        Symptom::of(&letter(job, reason).encode()).fingerprint
    }

    #[test]
    fn fingerprints_stay_what_they_are_from_version_to_version() {
        let known = [
            (print(&job("r", "pay"), "received 6 times, and it was never finished"), "never"),
            (print(&job("r", "pay"), "timed out after 30s"), "failed"),
            (Symptom::of("junk").fingerprint, "foreign"),
        ];
        let prints = known.map(|(print, what)| format!("{print} {what}"));
        assert_eq!(prints, ["9dcdb3f6 never", "d0ab6d65 failed", "2a1d783f foreign"]);
    }

    #[test]
    fn who_wrote_it_and_when_plays_no_part() {
        let first = letter(&job("run-1", "pay"), "run run-1 met HTTP 503 after 12s");
        let mut second = letter(&job("other", "pay"), "run other met HTTP 502 after 1m30s");
        second.worker = "elsewhere".into();
        second.dequeue_count = 17;
        second.failed_at = "2026-01-02T03:04:05Z".to_owned();
        let second = second.from_queue("another");
        assert_eq!(Symptom::of_letter(&first), Symptom::of(&second.encode()));
    }

    #[test]
    fn different_reasons_nodes_and_blueprints_are_told_apart() {
        let other = Job::new("r".into(), "refund".into(), "pay".into());
        let prints = [
            print(&job("r", "pay"), "timed out after 30s"),
            print(&job("r", "pay"), "connection refused"),
            print(&job("r", "pay"), "received 6 times, and it was never finished"),
            print(&job("r", "pay"), "run \"r\" has no document: start it again"),
            print(&job("r", "pay"), "blueprint \"order-intake\" is not loaded here: put its file"),
            print(&job("r", "charge"), "timed out after 30s"),
            print(&job("r", "step-1"), "timed out after 30s"),
            print(&job("r", "step-2"), "timed out after 30s"),
            print(&other, "timed out after 30s"),
            Symptom::of(&job("r", "pay").encode()).fingerprint,
            Symptom::of("junk").fingerprint,
            Symptom::of(&json!({"orderId": 7}).to_string()).fingerprint,
            Symptom::of(&json!({"orderId": 7, "total": 2}).to_string()).fingerprint,
            Symptom::of("[1]").fingerprint,
        ];
        let different: HashSet<_> = prints.iter().collect();
        assert_eq!(different.len(), prints.len(), "{prints:?}");
    }

    #[test]
    fn nodes_made_while_running_are_one() {
        let made = |n: u128| {
            let node = format!("send_{}_{n}", uuid::Uuid::from_u128(n * 7));
            print(&job("r", &node), "no answer")
        };
        assert_eq!(made(1), made(22));
    }

    #[test]
    fn foreign_bodies_are_told_by_their_shape() {
        let symptom = Symptom::of(&json!({"orderId": 7, "at": "now"}).to_string());
        assert_eq!(symptom.reason, ReasonKind::Foreign);
        assert_eq!(symptom.says, "put here by another program: an object of at, orderId");
        let again = Symptom::of(&json!({"at": null, "orderId": "x"}).to_string());
        assert_eq!(symptom, again);
        let raw = Symptom::of(&job("r", "pay").encode());
        assert_eq!(
            (raw.reason, raw.place().as_deref()),
            (ReasonKind::ForeignJob, Some("order-intake/pay"))
        );
        let ours = Symptom::of_letter(&DeadLetter::new(
            "junk 1",
            "the message is not a job: neither JSON nor base64 (at 4)",
            1,
            Timestamp::from_seconds(1),
            "w".into(),
        ));
        assert_eq!((ours.reason, ours.place()), (ReasonKind::NotAJob, None));
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let print = Symptom::of("junk").fingerprint;
        assert_eq!(print.to_string().parse(), Ok(print));
        for bad in ["", "12", "zzzzzzzz", "+1234567", "123456789"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(BadFingerprint), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn letters_that_differ_only_in_ids_numbers_and_times_are_one(
            words in "[a-z]{3,7}( [a-z]{3,7}){0,3}",
            ids in any::<[u128; 2]>(),
            numbers in any::<[u32; 2]>(),
            times in prop::array::uniform2(1_000_000_000..2_000_000_000_i64),
            runs in prop::array::uniform2("[a-z][a-z0-9-]{0,20}"),
        ) {
            let one = |at: usize| {
                let (id, time) = (uuid::Uuid::from_u128(ids[at]), Timestamp::from_seconds(times[at]));
                let reason = format!(
                    "{words} {id} of run {} failed {} times, last at {time}", runs[at], numbers[at]
                );
                let job = Job::new(RunId::from(runs[at].as_str()), "b".into(), "n".into());
                Symptom::of(&letter(&job, &reason).encode())
            };
            prop_assert_eq!(one(0), one(1));
        }

        #[test]
        fn different_words_are_different(
            first in "[a-z]{1,7}( [a-z]{1,7}){0,5}", second in "[a-z]{1,7}( [a-z]{1,7}){0,5}",
        ) {
            let same = print(&job("0", "n"), &first) == print(&job("0", "n"), &second);
            prop_assert_eq!(same, first == second);
        }

        #[test]
        fn any_body_has_a_symptom(body in any::<String>()) {
            Symptom::of(&body);
        }
    }
}

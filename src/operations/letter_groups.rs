//! Dead letters that failed alike, as groups.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use super::symptom::{Fingerprint, Symptom};
use crate::{blueprint::RunId, engine::Timestamp};

/// Dead letters that failed alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterGroup {
    /// What went wrong with all of them.
    pub symptom: Symptom,
    /// The places of its letters among those that were grouped, the newest first.
    pub letters: Vec<usize>,
    /// When the first of them failed.
    pub oldest: Timestamp,
    /// When the last of them failed.
    pub newest: Timestamp,
    /// How many runs they are of.
    pub runs: usize,
}

/// A dead letter as far as grouping needs it.
#[derive(Debug, Clone, Copy)]
pub struct Grouped<'a> {
    /// What went wrong.
    pub symptom: &'a Symptom,
    /// When.
    pub failed_at: Timestamp,
    /// The run it is of, if it is a job.
    pub run: Option<&'a RunId>,
}

/// Puts those together that failed alike: the largest group first, and among equals the one with
/// the latest failure.
pub fn group_letters<'a>(letters: impl IntoIterator<Item = Grouped<'a>>) -> Vec<LetterGroup> {
    let letters: Vec<Grouped<'a>> = letters.into_iter().collect();
    let mut places: BTreeMap<Fingerprint, Vec<usize>> = BTreeMap::new();
    for (at, letter) in letters.iter().enumerate() {
        places.entry(letter.symptom.fingerprint).or_default().push(at);
    }
    let mut groups: Vec<LetterGroup> = places
        .into_values()
        .filter_map(|mut places| {
            places.sort_by_key(|at| (Reverse(letters[*at].failed_at), *at));
            let (newest, oldest) = (places.first()?, places.last()?);
            let runs: HashSet<&RunId> = places.iter().filter_map(|at| letters[*at].run).collect();
            Some(LetterGroup {
                symptom: letters[*newest].symptom.clone(),
                oldest: letters[*oldest].failed_at,
                newest: letters[*newest].failed_at,
                runs: runs.len(),
                letters: places,
            })
        })
        .collect();
    groups.sort_by_key(|group| {
        (Reverse(group.letters.len()), Reverse(group.newest), group.symptom.fingerprint)
    });
    groups
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cluster::Job;

    #[test]
    fn the_largest_group_comes_first_and_its_newest_letter() {
        let raw = |run: &str, node: &str| {
            Symptom::of(&Job::new(run.into(), "b".into(), node.into()).encode())
        };
        let (pay, ship) = (raw("1", "pay"), raw("1", "ship"));
        let runs: [RunId; 3] = ["1".into(), "2".into(), "1".into()];
        let at = Timestamp::from_seconds;
        let of = |symptom, seconds, run| Grouped { symptom, failed_at: at(seconds), run };
        let groups = group_letters([
            of(&ship, 50, Some(&runs[0])),
            of(&pay, 10, Some(&runs[0])),
            of(&pay, 30, Some(&runs[1])),
            of(&pay, 20, Some(&runs[2])),
        ]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].letters, [2, 3, 1]);
        assert_eq!((groups[0].oldest, groups[0].newest, groups[0].runs), (at(10), at(30), 2));
        assert_eq!(groups[1].symptom.node.as_deref(), Some("ship"));
        assert_eq!(group_letters([]), []);
    }
}

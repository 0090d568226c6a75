//! The order of causes: what keeps the run from moving comes before what it merely waits for, and
//! what is sure before what may be. Causes that are the same for several nodes become one.

use super::cause::Cause;

/// How many pieces of evidence a cause keeps.
const EVIDENCE: usize = 20;
/// How many causes there are at most.
const CAUSES: usize = 40;

/// The causes in their order, each kind and remedy once.
pub(super) fn ranked(mut causes: Vec<Cause>) -> Vec<Cause> {
    causes.sort_by_key(|cause| (cause.bearing, cause.confidence, cause.cause));
    let mut ranked: Vec<Cause> = Vec::new();
    let mut left_out: Vec<usize> = Vec::new();
    for cause in causes {
        let same = ranked.iter().enumerate().find_map(|(at, other)| {
            let alike = other.cause == cause.cause && other.bearing == cause.bearing;
            alike.then(|| other.remedy.joined(&cause.remedy)).flatten().map(|remedy| (at, remedy))
        });
        match same {
            Some((at, remedy)) => {
                let other = &mut ranked[at];
                other.remedy = remedy;
                for line in cause.evidence {
                    if other.evidence.contains(&line) {
                        continue;
                    }
                    if other.evidence.len() < EVIDENCE {
                        other.evidence.push(line);
                    } else {
                        left_out[at] += 1;
                    }
                }
            }
            None if ranked.len() < CAUSES => {
                ranked.push(cause);
                left_out.push(0);
            }
            None => {}
        }
    }
    for (cause, more) in ranked.iter_mut().zip(left_out).filter(|(_, more)| *more > 0) {
        cause.evidence.push(format!("and {more} more lines like these"));
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            cause::{Bearing, CauseKind, Confidence},
            remedy::Remedy,
        },
        *,
    };
    use CauseKind::{
        NoMessage, NoWorkers, OutputLost, Poisoned, QueueBacklog, Running, ServiceAway,
    };

    fn cause(kind: CauseKind, confidence: Confidence, evidence: &str) -> Cause {
        Cause::new(kind, confidence, vec![evidence.to_owned()], Remedy::Reconcile("r".into()))
    }

    fn order(causes: Vec<Cause>) -> Vec<CauseKind> {
        ranked(causes).into_iter().map(|cause| cause.cause).collect()
    }

    #[test]
    fn what_blocks_comes_before_what_delays_what_waits_and_what_is_aside() {
        use Confidence::{High, Low, Medium};
        let aside = cause(CauseKind::Poisoned, High, "x").bearing(Bearing::Aside);
        let causes = vec![
            aside,
            cause(CauseKind::Running, High, "x"),
            cause(CauseKind::QueueBacklog, High, "x"),
            cause(CauseKind::NoMessage, Low, "x"),
            cause(CauseKind::OutputLost, Medium, "x"),
        ];
        assert_eq!(order(causes), [OutputLost, NoMessage, QueueBacklog, Running, Poisoned]);
    }

    #[test]
    fn of_two_that_are_equally_sure_the_one_that_explains_more_comes_first() {
        let causes = vec![
            cause(CauseKind::NoMessage, Confidence::High, "x"),
            cause(CauseKind::NoWorkers, Confidence::High, "x"),
            cause(CauseKind::ServiceAway, Confidence::High, "x"),
        ];
        assert_eq!(order(causes), [ServiceAway, NoWorkers, NoMessage]);
    }

    #[test]
    fn the_same_for_many_nodes_is_said_once_and_not_at_any_length() {
        let lines: Vec<Cause> = (0..50)
            .map(|node| cause(CauseKind::NoMessage, Confidence::High, &format!("node {node}")))
            .collect();
        let ranked = ranked(lines);
        assert_eq!(ranked.len(), 1);
        assert_eq!(ranked[0].evidence.len(), EVIDENCE + 1);
        assert_eq!(ranked[0].evidence[EVIDENCE], "and 30 more lines like these");
        assert_eq!(ranked[0].evidence[0], "node 0");
    }
}

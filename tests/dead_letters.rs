//! Dead letters with a real worker: looked at in groups, replayed with a canary before the others,
//! back to the queue they came from, and never lost.
#![allow(clippy::unwrap_used)]

#[path = "support/registry.rs"]
mod registry;
#[allow(dead_code)] // Each test uses a part of it.
#[path = "support/stage.rs"]
mod stage;
#[allow(dead_code)] // Likewise.
#[path = "support/tampered.rs"]
mod tampered;
#[allow(dead_code)] // Likewise.
#[path = "support/triage.rs"]
mod triage;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flowcraft_tui::{
    blueprint::RunId,
    cluster::{
        Cluster, DeadLetter, Fault, Job, Lane, SystemClock, TokioClock, memory_cluster,
        sqlite_cluster,
    },
    engine::{RunStatus, Timestamp},
    operations::{
        CanaryRule, CanaryVerdict, Cut, Letters, OperationError, Operations, Oversight, Part,
        Progress, Prospect, group_letters,
    },
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    stage::pass,
    tampered::{Fate, Tampered},
    triage::Triage,
};

const RUNS: [&str; 5] = ["run-1", "run-2", "run-3", "run-4", "run-5"];
const LIMIT: Duration = Duration::from_secs(30);

fn memory() -> Cluster {
    let clock = TokioClock::starting_at(Timestamp::from_seconds(1_750_000_000));
    memory_cluster(Arc::new(clock))
}

async fn canary_passes(cluster: Cluster) {
    let mut triage = Triage::on(cluster);
    triage.worker();
    triage.fail(&RUNS).await;
    let group = triage.group().await;
    assert!(triage.letters().await.iter().all(|it| it.symptom.fingerprint == group));
    let plan = triage.plan(Letters::Group(group), CanaryRule::First(LIMIT)).await;
    assert_eq!((plan.acts(), plan.may_act(), plan.unseen), (5, 5, 0));
    assert_eq!(plan.steps[0].part, Part::Canary(4));
    assert!(plan.steps[1..].iter().all(|step| step.part == Part::Follows));
    let first = plan.steps[0].letter.failed_at();
    assert!(plan.steps.iter().all(|step| step.letter.failed_at() <= first), "the newest");
    let lines = plan.lines().join("\n");
    assert!(lines.contains("the 4 others that failed alike"), "{lines}");
    triage.mend();
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let noted = seen.clone();
    let oversight = Oversight::new(
        move |progress| noted.lock().unwrap().push(progress),
        CancellationToken::new(),
    );
    let report = triage.stage.operations.carry_out_replay(&plan, &oversight).await.unwrap();
    assert_eq!(report.replayed.len(), 5);
    assert_eq!(report.replayed[0], plan.steps[0].letter.id, "the canary first");
    assert!(
        matches!(&report.canaries[..], [one] if one.verdict == CanaryVerdict::Passed(
            "node \"fragile\" completed".to_owned()
        )),
        "{report:?}"
    );
    assert_eq!((report.problems(), report.left.len()), (Vec::new(), 0));
    triage.complete(&RUNS).await;
    assert_eq!(triage.stage.depth(Lane::Poison).await, 0);
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|it| it.what.starts_with("canary running")), "{seen:?}");
    assert_eq!(seen.last().map(ToString::to_string).as_deref(), Some("replaying 5/5"));
}

async fn canary_fails(cluster: Cluster) {
    let mut triage = Triage::on(cluster);
    triage.worker();
    triage.fail(&RUNS).await;
    let group = triage.group().await;
    let report = triage.replay(Letters::Group(group), LIMIT).await;
    let canary = report.failed_canary().unwrap().clone();
    assert_eq!(report.replayed, std::slice::from_ref(&canary.letter));
    assert_eq!(report.untried, 4);
    let problems = report.problems();
    assert_eq!(
        problems,
        [format!(
            "the canary failed, node \"fragile\" of run \"{}\": run {}: disk 7 is full; the other 4 stay where they are",
            canary.run, canary.run
        )]
    );
    let left = triage.runs().await;
    assert_eq!(left.len(), 4);
    assert!(!left.contains(&canary.run.to_string()));
    assert_eq!(triage.statuses(&RUNS).await, [RunStatus::Failed; 5]);
    assert_eq!(triage.stage.count("fragile"), 6, "five runs, and one canary");
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_canary_that_passes_is_followed_by_the_others() {
    canary_passes(memory()).await;
}

#[tokio::test(start_paused = true)]
async fn in_memory_a_canary_that_fails_leaves_the_others_where_they_are() {
    canary_fails(memory()).await;
}

#[tokio::test]
async fn on_sqlite_a_canary_that_passes_is_followed_by_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    canary_passes(sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap()).await;
}

#[tokio::test]
async fn on_sqlite_a_canary_that_fails_leaves_the_others_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.db");
    canary_fails(sqlite_cluster(&path, Arc::new(SystemClock)).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_nobody_takes_is_unclear_and_says_why() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.mend();
    triage.stage.crash().await;
    pass(120).await;
    let report = triage.replay(Letters::All, LIMIT).await;
    let problem = report.problems().join("; ");
    assert!(problem.contains("did not pass"), "{problem}");
    assert!(
        problem.contains("not decided within 30s: node \"fragile\" is still ready"),
        "{problem}"
    );
    assert!(problem.contains("no worker is alive"), "{problem}");
    assert_eq!((report.replayed.len(), report.untried), (1, 4));
    assert_eq!(triage.letters().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_message_comes_back_has_failed() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.stage.crash().await;
    let queue = triage.stage.cluster.queue.clone();
    let clock = triage.stage.cluster.clock.clone();
    // Another program's worker, which does not touch the ledger.
    let other = async {
        loop {
            for taken in queue.receive(Lane::Jobs, 1, Duration::from_mins(1)).await.unwrap() {
                let letter =
                    DeadLetter::new(&taken.body, "out of paper", 6, clock.now(), "x".into());
                queue.send(Lane::Poison, letter.encode(), Duration::ZERO).await.unwrap();
                queue.delete(Lane::Jobs, &taken.receipt).await.unwrap();
            }
            pass(1).await;
        }
    };
    let report = tokio::select! {
        report = triage.replay(Letters::All, LIMIT) => report,
        () = other => unreachable!(),
    };
    let verdict = &report.failed_canary().unwrap().verdict;
    assert_eq!(*verdict, CanaryVerdict::Failed("back in the poison queue: out of paper".into()));
    assert_eq!(triage.letters().await.len(), 5, "four, and the one that came back");
}

#[tokio::test(start_paused = true)]
async fn without_a_canary_all_go_at_once() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.mend();
    let plan = triage.plan(Letters::All, CanaryRule::Skip).await;
    assert!(plan.steps.iter().all(|step| step.part == Part::Follows));
    assert!(!plan.lines().join("\n").contains("canary"));
    let report =
        triage.stage.operations.carry_out_replay(&plan, &Oversight::nobody()).await.unwrap();
    assert_eq!((report.replayed.len(), report.canaries.len()), (5, 0));
    triage.complete(&RUNS).await;
}

#[tokio::test(start_paused = true)]
async fn each_group_has_a_canary_and_one_that_fails_ends_the_replay() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    for run in ["a", "b"] {
        triage.stage.operations.start(triage.stage.request(run, &json!({}))).await.unwrap();
        triage.stage.ended(&RunId::from(run)).await;
        triage.letter(&RunId::from(run), "another reason").await;
    }
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    let parts: Vec<Part> = plan.steps.iter().map(|step| step.part).collect();
    assert_eq!((parts[0], parts[5]), (Part::Canary(4), Part::Canary(1)));
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!((report.replayed.len(), report.untried), (1, 6), "the larger group first");
    triage.mend();
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!((report.replayed.len(), report.canaries.len()), (6, 2), "{report:?}");
    triage.complete(&["a", "b"]).await;
}

#[tokio::test(start_paused = true)]
async fn one_letter_alone_needs_no_canary() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&["run-1"]).await;
    triage.stage.crash().await;
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!((report.replayed.len(), report.canaries.len()), (1, 0));
    assert!(report.problems().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_dies_after_its_canary_has_lost_nothing() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.mend();
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    // The process dies as soon as it is told that the canary has passed: it never comes to the
    // second pass through the poison queue.
    let mut passes = 0;
    let dying = Tampered::new(&triage.stage.cluster, move |call| {
        passes += usize::from(call.name == "receive");
        if passes > 1 { Fate::HangsAfter } else { Fate::Goes }
    });
    let operations = Operations::new(dying.cluster(), triage.stage.library.clone(), "dying");
    let nobody = Oversight::nobody();
    let replay = operations.carry_out_replay(&plan, &nobody);
    assert!(tokio::time::timeout(Duration::from_secs(20), replay).await.is_err(), "it died");
    pass(60).await;
    assert_eq!(triage.letters().await.len(), 4, "the others are there again");
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!(report.replayed.len(), 4);
    triage.complete(&RUNS).await;
    assert_eq!(triage.stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_dies_before_it_deletes_a_letter_leaves_one_that_does_nothing() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.mend();
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    let dying = Tampered::new(&triage.stage.cluster, |call| match call.name {
        "delete" => Fate::Hangs,
        _ => Fate::Goes,
    });
    let operations = Operations::new(dying.cluster(), triage.stage.library.clone(), "dying");
    let nobody = Oversight::nobody();
    let replay = operations.carry_out_replay(&plan, &nobody);
    assert!(tokio::time::timeout(Duration::from_secs(20), replay).await.is_err(), "it died");
    pass(60).await;
    assert_eq!(triage.letters().await.len(), 5);
    let canary = plan.steps[0].letter.job().unwrap().run_id;
    triage.complete(&[canary.as_str()]).await;
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!(report.replayed.len(), 4);
    assert_eq!(report.left.len(), 1);
    assert_eq!(report.left[0].1, Prospect::Ended(canary, RunStatus::Completed));
    triage.complete(&RUNS).await;
    assert_eq!(triage.stage.count("last"), 5, "nothing ran twice");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_in_the_middle_says_how_far_it_came() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.mend();
    let plan = triage.plan(Letters::All, CanaryRule::Skip).await;
    let mut commits = 0;
    let shaky = Tampered::new(&triage.stage.cluster, move |call| {
        commits += usize::from(call.name == "commit");
        if call.name == "commit" && commits > 2 { Fate::Fails(Fault::Refused) } else { Fate::Goes }
    });
    let operations = Operations::new(shaky.cluster(), triage.stage.library.clone(), "shaky");
    let report = operations.carry_out_replay(&plan, &Oversight::nobody()).await.unwrap();
    assert!(matches!(report.cut, Some(Cut::Failed(_))), "{report:?}");
    assert_eq!((report.replayed.len(), report.untried), (2, 3));
    assert!(report.problems()[0].ends_with("the other 3 stay where they are"));
    assert_eq!(triage.letters().await.len(), 3, "given back at once");
}

#[tokio::test(start_paused = true)]
async fn a_replay_can_be_stopped_while_its_canary_runs_and_between_two_letters() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&RUNS).await;
    triage.stage.crash().await;
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    let stop = CancellationToken::new();
    let oversight = Oversight::new(|_| {}, stop.clone());
    let stopping = async {
        pass(5).await;
        stop.cancel();
    };
    let (report, ()) =
        tokio::join!(triage.stage.operations.carry_out_replay(&plan, &oversight), stopping);
    let report = report.unwrap();
    assert_eq!(report.failed_canary().unwrap().verdict, CanaryVerdict::Stopped);
    assert_eq!((report.replayed.len(), report.untried), (1, 4));
    let plan = triage.plan(Letters::All, CanaryRule::Skip).await;
    let stop = CancellationToken::new();
    let after_two = stop.clone();
    let oversight = Oversight::new(
        move |progress| {
            if progress.done == 2 {
                after_two.cancel();
            }
        },
        stop,
    );
    let report = triage.stage.operations.carry_out_replay(&plan, &oversight).await.unwrap();
    assert!(matches!(report.cut, Some(Cut::Stopped)), "{report:?}");
    assert_eq!((report.replayed.len(), report.untried), (2, 2));
    assert_eq!(triage.letters().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_group_is_replayed_beyond_what_a_look_shows() {
    let mut triage = Triage::on(memory());
    triage.worker();
    for at in 0..50 {
        triage.put(&json!({"order": at}).to_string()).await;
    }
    let runs: Vec<String> = (0..6).map(|at| format!("run-{at}")).collect();
    let names: Vec<&str> = runs.iter().map(String::as_str).collect();
    triage.fail(&names).await;
    let operations = &triage.stage.operations;
    assert_eq!(triage.letters().await.len(), 32);
    assert_eq!(operations.count_dead_letters().await.unwrap(), 56);
    let all = operations.all_dead_letters(&Oversight::nobody()).await.unwrap();
    assert_eq!(all.len(), 56);
    assert_eq!(triage.letters().await.len(), 32, "given back");
    let group = all.last().unwrap().symptom.fingerprint;
    let plan = triage.plan(Letters::Group(group), CanaryRule::First(LIMIT)).await;
    assert_eq!((plan.acts(), plan.unseen), (0, 24));
    assert!(plan.lines()[0].contains("of 24 more that a look does not show"), "{plan:?}");
    triage.mend();
    let report = triage.replay(Letters::Group(group), LIMIT).await;
    assert_eq!((report.replayed.len(), report.canaries.len()), (6, 1));
    triage.complete(&names).await;
    // And purged: likewise.
    let group = triage.letters().await[0].symptom.fingerprint;
    assert_eq!(operations.purge(&Letters::Group(group)).await.unwrap().len(), 50);
    assert_eq!(triage.stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn letters_that_a_replay_does_nothing_for_stay_and_say_why() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&["failed"]).await;
    triage.mend();
    triage.stage.operations.start(triage.stage.request("done", &json!({}))).await.unwrap();
    triage.complete(&["done"]).await;
    triage.letter(&"done".into(), "late").await;
    triage.letter(&"nobody".into(), "late").await;
    triage.stage.crash().await;
    pass(120).await;
    triage.stage.operations.start(triage.stage.request("stopped", &json!({}))).await.unwrap();
    let cancel = triage.stage.operations.plan_cancel(&"stopped".into()).await.unwrap();
    triage.stage.operations.apply(&cancel).await.unwrap();
    triage.letter(&"stopped".into(), "late").await;
    triage.put("junk").await;
    let strange = DeadLetter::new(
        &triage.stage.plain_job(&"failed".into(), "fragile").encode(),
        "elsewhere",
        6,
        triage.stage.cluster.clock.now(),
        "w".into(),
    );
    triage.put(&strange.from_queue("other-jobs").encode()).await;
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    assert_eq!(plan.acts(), 1);
    let lines = plan.lines().join("\n");
    for part in [
        "run node \"fragile\" of run \"failed\" again: it has failed",
        "stays: run \"done\" is completed: replay does nothing; purge it",
        "stays: there is no run \"nobody\": replay does nothing; purge it",
        "stays: run \"stopped\" is cancelled: replay does nothing; purge it",
        "stays: it is not a job: purge it",
        "stays: it came from queue \"other-jobs\", and this is \"flowcraft-jobs\"",
    ] {
        assert!(lines.contains(part), "{part}\n{lines}");
    }
    let before = triage.stage.depth(Lane::Jobs).await;
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!((report.replayed.len(), report.left.len()), (1, 5));
    assert_eq!(triage.stage.depth(Lane::Jobs).await, before + 1, "one job was sent");
    assert_eq!(triage.letters().await.len(), 5);
    // Named, it is an error.
    let strange =
        triage.letters().await.into_iter().find(|it| it.queue().is_some_and(|q| q == "other-jobs"));
    let named = Letters::Ids(vec![strange.unwrap().id]);
    let error = triage.stage.operations.replay(&named).await.unwrap_err();
    assert!(matches!(&error, OperationError::NotReplayed { .. }), "{error}");
    assert!(error.to_string().contains("other-jobs"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_completed_since_is_left_alone_unless_what_follows_lies_idle() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.mend();
    let run = RunId::from("run-1");
    // A second start of a blueprint that waits at its end.
    let mut waiting = stage::Stage::on(
        triage.stage.cluster.clone(),
        vec![stage::blueprint("w", &json!([["a", "noop"], ["z", "wait"]]), &json!([["a", "z"]]))],
    );
    waiting.worker("ww");
    waiting.operations.start(waiting.request("run-1", &json!({}))).await.unwrap();
    waiting.settled(&run).await;
    let job = Job::new(run.clone(), "w".into(), "a".into());
    triage.letter_of(&job, "late").await;
    triage.letter_of(&Job::new(run.clone(), "w".into(), "z".into()), "late").await;
    let order = |which| flowcraft_tui::operations::ReplayOrder { which, canary: CanaryRule::Skip };
    let plan = waiting.operations.plan_replay(&order(Letters::All)).await.unwrap();
    let lines = plan.lines().join("\n");
    assert_eq!(plan.acts(), 0, "{lines}");
    assert!(
        lines.contains("node \"a\" of run \"run-1\" is completed: replay does nothing"),
        "{lines}"
    );
    assert!(
        lines.contains("node \"z\" of run \"run-1\" is awaiting: replay does nothing"),
        "{lines}"
    );
    // What follows was made ready, and its message lost.
    waiting.crash().await;
    triage.stage.crash().await;
    let entry = stage::entry(flowcraft_tui::engine::NodeState::Ready);
    waiting.edit(&run, &[flowcraft_tui::engine::Op::Node("z".into(), entry)]).await;
    let plan = waiting.operations.plan_replay(&order(Letters::All)).await.unwrap();
    let lines = plan.lines().join("\n");
    assert!(
        lines.contains("go on after node \"a\" of run \"run-1\", which is done: with \"z\""),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_does_not_keep_the_others_from_it() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&["run-1"]).await;
    triage.mend();
    let there = triage.letters().await[0].id.clone();
    let which = Letters::Ids(vec!["gone".to_owned(), there.clone()]);
    let plan = triage.plan(which.clone(), CanaryRule::First(LIMIT)).await;
    assert_eq!((plan.acts(), plan.may_act()), (1, 1));
    assert!(plan.lines().join("\n").contains("there is no dead letter \"gone\""), "{plan:?}");
    let report = triage.replay(which, LIMIT).await;
    assert_eq!((report.replayed, report.missing), (vec![there], vec!["gone".to_owned()]));
    let gone = Letters::Ids(vec!["gone".to_owned()]);
    let error = triage.stage.operations.replay(&gone).await.unwrap_err();
    assert!(matches!(error, OperationError::NoSuchLetter(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn two_letters_of_one_node_are_one_replay() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&["run-1", "run-2"]).await;
    triage.letter(&"run-1".into(), "gave up after 18 tries: run run-1: disk 7 is full").await;
    triage.mend();
    let plan = triage.plan(Letters::All, CanaryRule::First(LIMIT)).await;
    assert!(plan.lines().join("\n").contains("goes with dead letter"), "{plan:?}");
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!((report.replayed.len(), report.left.len()), (3, 0), "{report:?}");
    triage.complete(&["run-1", "run-2"]).await;
    assert_eq!(triage.stage.count("fragile"), 4);
    assert_eq!(triage.stage.depth(Lane::Poison).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_other_programs_put_there_goes_back_to_the_job_queue() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.fail(&["plain", "coded"]).await;
    triage.stage.operations.purge(&Letters::All).await.unwrap();
    triage.mend();
    // A copy of the body, as JavaScript clients and Azure Functions make it: the JSON itself, or
    // under base64, with members that only they write.
    let body = |run: &str| {
        json!({"runId": run, "blueprintId": "b", "nodeId": "fragile", "attempt": 3}).to_string()
    };
    triage.put(&body("plain")).await;
    triage.put(&STANDARD.encode(body("coded"))).await;
    let letters = triage.letters().await;
    assert_eq!(letters[0].symptom, letters[1].symptom);
    assert!(letters.iter().all(|letter| letter.letter.is_none() && letter.job().is_some()));
    let report = triage.replay(Letters::All, LIMIT).await;
    assert_eq!(report.replayed.len(), 2, "{report:?}");
    triage.complete(&["plain", "coded"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_says_which_queue_a_letter_came_from() {
    let mut triage = Triage::on(memory());
    triage.worker();
    triage.stage.send("what is this").await;
    pass(5).await;
    let letters = triage.letters().await;
    assert_eq!(letters[0].queue(), Some("flowcraft-jobs"));
    let groups = group_letters(letters.iter().map(|letter| flowcraft_tui::operations::Grouped {
        symptom: &letter.symptom,
        failed_at: letter.failed_at(),
        run: None,
    }));
    assert_eq!(groups.len(), 1);
}

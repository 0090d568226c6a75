//! A list that is kept up with what changes is the one that would be made anew; and how jobs follow
//! each other.
#![allow(clippy::unwrap_used)] // Tests.

use proptest::prelude::*;

use super::{
    super::order::{OrderBy, Way},
    *,
};
use crate::{
    cluster::{NodeCounts, StatusItem},
    engine::RunStatus,
};

const BEGIN: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(BEGIN + seconds)
}

fn row(run: usize, status: usize, started: i64, touched: i64, done: u32) -> RunRow {
    let statuses = [
        Some(RunStatus::Running),
        Some(RunStatus::Awaiting),
        Some(RunStatus::Completed),
        Some(RunStatus::Failed),
        None,
    ];
    let status = statuses[status % statuses.len()];
    let item = StatusItem {
        run_id: format!("run-{run}").into(),
        status,
        last_updated: at(touched),
        blueprint_id: (!run.is_multiple_of(7)).then(|| format!("blueprint-{}", run % 3).into()),
        started_at: (started % 5 != 0).then(|| at(started)),
        nodes: (!done.is_multiple_of(4)).then_some(NodeCounts {
            total: 9,
            completed: done % 10,
            failed: 0,
        }),
        error: (status == Some(RunStatus::Failed)).then(|| "disk full".to_owned()),
        parent_run_id: None,
        next_due_at: None,
        worker: None,
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    };
    RunRow { item, stalled: status == Some(RunStatus::Running) && touched % 3 == 0 }
}

fn ids(rows: &RunRows) -> Vec<String> {
    rows.ids().map(ToString::to_string).collect()
}

/// One step of a story: runs that change, or something else that is asked for.
#[derive(Debug, Clone)]
enum Step {
    Change(Vec<(usize, usize, i64, i64, u32)>),
    Recipe(Recipe),
    Wait(i64),
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let filter = prop_oneof![
        Just(""),
        Just("status:running,failed"),
        Just("-stalled blueprint:1"),
        Just("age>30s"),
        Just("touched<20s nodes>3"),
        Just("disk"),
        Just("run1 -completed"),
        Just("progress>40%"),
        Just("nonsense:"),
    ];
    let by = prop_oneof![
        Just(OrderBy::Attention),
        Just(OrderBy::Status),
        Just(OrderBy::Run),
        Just(OrderBy::Blueprint),
        Just(OrderBy::Nodes),
        Just(OrderBy::Progress),
        Just(OrderBy::Age),
        Just(OrderBy::Touched),
    ];
    let way = prop_oneof![Just(Way::Usual), Just(Way::Reversed)];
    (filter, by, way).prop_map(|(filter, by, way)| Recipe {
        filter: filter.to_owned(),
        order: RunOrder { by, way },
    })
}

fn step() -> impl Strategy<Value = Step> {
    let change = (0..60_usize, 0..5_usize, -90..0_i64, -60..0_i64, 0..12_u32);
    prop_oneof![
        3 => proptest::collection::vec(change, 1..20).prop_map(Step::Change),
        1 => recipe().prop_map(Step::Recipe),
        1 => (1..40_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn a_list_that_is_kept_up_is_the_one_made_anew(
        first in recipe(),
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let mut recipe = first;
        let mut runs = RunsView::default();
        let mut now = 0;
        let mut lister = Lister::default();
        let mut list = RunList::default();
        for step in steps {
            match step {
                Step::Change(changes) => {
                    for (run, status, started, touched, done) in changes {
                        runs.put(row(run, status, now + started, now + touched, done));
                    }
                }
                Step::Recipe(other) => recipe = other,
                Step::Wait(seconds) => now += seconds,
            }
            let view = Arc::new(runs.clone());
            lister.bring(&mut list, &view, &recipe, at(now));
            prop_assert!(lister.job().is_none(), "it is short");
            let anew = RunList::new(view, recipe.clone(), at(now));
            prop_assert_eq!(ids(list.rows()), ids(anew.rows()));
            for (place, run) in ids(list.rows()).iter().enumerate() {
                prop_assert_eq!(list.position(run), Some(place));
            }
        }
    }

    #[test]
    fn rows_are_taken_out_and_put_in_at_their_places(
        size in 0..20_usize,
        gone in proptest::collection::btree_set(0..20_usize, 0..8),
        come in proptest::collection::vec(0..=20_usize, 0..8),
    ) {
        let make = |run: usize| Arc::new(row(run, 0, 1, 1, 1));
        let mut rows: Vec<_> = (0..size).map(make).collect();
        let gone: Vec<usize> = gone.into_iter().filter(|at| *at < size).collect();
        let mut places: Vec<usize> = come.into_iter().filter(|at| *at <= size).collect();
        places.sort_unstable();
        let mut expected = Vec::new();
        for at in 0..=size {
            let fresh = places.iter().enumerate().filter(|(_, place)| **place == at);
            expected.extend(fresh.map(|(number, _)| format!("run-{}", 100 + number)));
            if at < size && !gone.contains(&at) {
                expected.push(format!("run-{at}"));
            }
        }
        let come = places.iter().enumerate().map(|(number, at)| (*at, make(100 + number)));
        replace(&mut rows, &gone, come.collect());
        let left: Vec<_> = rows.iter().map(|row| row.item.run_id.to_string()).collect();
        prop_assert_eq!(left, expected);
    }
}

fn many() -> RunsView {
    let mut view = RunsView::default();
    for run in 0..AT_ONCE + 500 {
        view.put(row(run, run, -i64::try_from(run).unwrap(), -1, 1));
    }
    view
}

fn by_id(filter: &str) -> Recipe {
    let order = RunOrder { by: OrderBy::Run, way: Way::Usual };
    Recipe { filter: filter.to_owned(), order }
}

#[test]
fn many_runs_are_listed_by_a_job_and_what_changes_meanwhile_is_worked_in() {
    let (mut lister, mut list) = (Lister::default(), RunList::default());
    let mut runs = many();
    let view = Arc::new(runs.clone());
    let recipe = by_id("status:failed");
    lister.bring(&mut list, &view, &recipe, at(0));
    let job = lister.job().unwrap();
    assert_eq!((list.len(), lister.percent(&list)), (0, Some(0)));
    assert!(lister.job().is_none(), "it is begun once");

    runs.put(row(7, 3, -1, 0, 1));
    let newer = Arc::new(runs);
    lister.bring(&mut list, &newer, &recipe, at(1));
    assert!(lister.job().is_none(), "the one under way will do");

    let mut parts = Vec::new();
    let done = job.run(|part| parts.push(part)).unwrap();
    assert!(!parts.is_empty());
    for part in parts {
        let Message::Listed(part) = part else { panic!("{part:?}") };
        assert!(lister.hear(part).is_none());
    }
    assert!(lister.percent(&list).unwrap() > 0);
    let Message::Listed(done) = done else { panic!("{done:?}") };
    list = lister.hear(done).unwrap();
    assert_eq!((list.position("run-7"), lister.percent(&list)), (None, None));
    lister.bring(&mut list, &newer, &recipe, at(1));
    assert!(list.position("run-7").is_some() && lister.job().is_none());
    assert_eq!(ids(list.rows()), ids(RunList::new(newer, recipe, at(1)).rows()));
}

#[test]
fn the_next_key_ends_a_job() {
    let (mut lister, mut list) = (Lister::default(), RunList::default());
    let view = Arc::new(many());
    lister.bring(&mut list, &view, &by_id("run-1"), at(0));
    let first = lister.job().unwrap();
    lister.bring(&mut list, &view, &by_id("run-12"), at(0));
    let second = lister.job().unwrap();
    assert!(first.clone().run(|_| panic!("nobody listens")).is_none());
    let Some(Message::Listed(done)) = second.clone().run(drop) else { panic!("it is wanted") };
    list = lister.hear(done).unwrap();
    assert_eq!(list.len(), RunList::new(view.clone(), by_id("run-12"), at(0)).len());

    // One that had ended just before is dropped as well.
    lister.bring(&mut list, &view, &by_id("run-123"), at(0));
    let Some(Message::Listed(late)) = lister.job().unwrap().run(drop) else { panic!("late") };
    lister.bring(&mut list, &view, &by_id("run-12"), at(0));
    assert!(lister.job().is_none(), "that is what is shown");
    assert!(lister.hear(late).is_none());
}

#[test]
fn more_changes_than_can_be_worked_in_are_listed_anew() {
    let (mut lister, mut runs) = (Lister::default(), many());
    let recipe = by_id("");
    let mut list = RunList::new(Arc::new(runs.clone()), recipe.clone(), at(0));
    for run in 0..=CHANGES {
        runs.put(row(run, 2, -1, 0, 2));
    }
    let view = Arc::new(runs);
    lister.bring(&mut list, &view, &recipe, at(1));
    assert_eq!(lister.percent(&list), None, "what is shown is what was asked for, only older");
    let Some(Message::Listed(done)) = lister.job().unwrap().run(drop) else { panic!("wanted") };
    list = lister.hear(done).unwrap();
    assert!(list.shows(&view));
    assert_eq!(ids(list.rows()), ids(RunList::new(view, recipe, at(1)).rows()));
}

#[test]
fn a_long_list_is_made_anew_when_time_has_changed_it_but_not_each_second() {
    let mut lister = Lister::default();
    let view = Arc::new(many());
    let recipe = by_id("age>600s");
    let mut list = RunList::new(view.clone(), recipe.clone(), at(0));
    let before = list.len();
    assert!(!list.has_turned(at(4)) && list.has_turned(at(5)));
    lister.bring(&mut list, &view, &recipe, at(5));
    let Some(Message::Listed(done)) = lister.job().unwrap().run(drop) else { panic!("wanted") };
    assert!(lister.hear(done).unwrap().len() > before);
}

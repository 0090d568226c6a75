//! The syntax of the runs' filter: every term, what is wrong with one, how one goes on.

use super::*;
use crate::cluster::{NodeCounts, StatusItem};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - seconds)
}

fn row() -> RunRow {
    let item = StatusItem {
        run_id: "order-4711".into(),
        status: Some(RunStatus::Failed),
        last_updated: ago(600),
        blueprint_id: Some("Order-Intake".into()),
        started_at: Some(ago(3_600)),
        nodes: Some(NodeCounts { total: 120, completed: 30, failed: 1 }),
        error: Some("Disk full on node-7".to_owned()),
        parent_run_id: Some("batch-1".into()),
        next_due_at: None,
        worker: Some("worker-EU-1".into()),
        final_status: None,
        remarks: crate::cluster::Remarks::default(),
    };
    RunRow { item, stalled: false }
}

fn takes(filter: &str, row: &RunRow) -> bool {
    let query = Query::parse(filter);
    assert_eq!(query.problem, None, "{filter}");
    assert_eq!(query.words, [], "{filter}");
    query.takes(row, NOW)
}

#[test]
fn every_term_finds_what_it_should_and_not_the_rest() {
    let row = row();
    for (yes, no) in [
        ("status:failed", "status:completed"),
        ("status:comp,fail", "status:comp,run"),
        ("status:F", "status:unknown"),
        ("blueprint:order", "blueprint:ship"),
        ("blueprint:ship,INTAKE", "blueprint:ship,bill"),
        ("age>5m", "age>2h"),
        ("age<2h", "age<1h"),
        ("age>=1h", "age>1h"),
        ("age:<61m", "age:>61m"),
        ("age<=1h", "age<30m30s"),
        ("touched>9m", "touched>10m"),
        ("touched<11m", "touched<10m"),
        ("worker:eu", "worker:us"),
        ("worker:", "-worker:"),
        ("parent:batch", "parent:other"),
        ("parent:", "-parent:"),
        ("error:disk", "error:net"),
        ("error:\"disk full\"", "error:\"full disk\""),
        ("error:", "-error:"),
        ("nodes>100", "nodes>120"),
        ("nodes:120", "nodes=119"),
        ("nodes<121", "nodes<=119"),
        ("progress<50%", "progress>50%"),
        ("progress>=25", "progress<25%"),
        ("-stalled", "stalled"),
        ("-status:completed", "-status:failed"),
        ("-age>2h", "-age>5m"),
        ("AGE>5m Status:failed", "age>5m status:running"),
    ] {
        assert!(takes(yes, &row), "{yes}");
        assert!(!takes(no, &row), "{no}");
    }
}

#[test]
fn what_a_run_lacks_fits_no_term() {
    let mut bare = row();
    bare.item.status = None;
    bare.item.blueprint_id = None;
    bare.item.started_at = None;
    bare.item.nodes = None;
    bare.item.error = None;
    bare.item.parent_run_id = None;
    bare.item.worker = None;
    for no in [
        "blueprint:",
        "age>1s",
        "age<99d",
        "nodes>0",
        "nodes<9",
        "progress<100",
        "error:",
        "parent:",
        "worker:",
        "status:failed",
    ] {
        assert!(!takes(no, &bare), "{no}");
    }
    assert!(takes("status:unknown", &bare));
    bare.item.nodes = Some(NodeCounts { total: 0, completed: 0, failed: 0 });
    assert!(!takes("progress<100%", &bare), "nothing of nothing is no share");
    bare.stalled = true;
    assert!(takes("stalled", &bare) && takes("status:stalled", &bare));
}

#[test]
fn a_slip_is_said_and_leaves_the_rest_in_force() {
    for (filter, said) in [
        ("statsu:failed", "there is no term `statsu`; did you mean `status`?"),
        ("-colour:red", "there is no term `colour`"),
        ("status:faild", "no status begins with \"faild\": running, awaiting"),
        ("age>", "age takes a time: 30s, 5m"),
        ("age>5", "age takes a time"),
        ("age:5m", "write age>5m or age<5m"),
        ("touched=5m", "write touched>5m"),
        ("nodes>many", "nodes takes a number: nodes>100"),
        ("progress<half", "progress takes a number: progress>50%"),
        ("blueprint>x", "write blueprint:… with a colon"),
        ("stalled:yes", "`stalled` stands alone"),
    ] {
        let query = Query::parse(&format!("{filter} nodes>119"));
        let problem = query.problem.clone().unwrap_or_default();
        assert!(problem.starts_with(said), "{filter}: {problem}");
        assert!(query.takes(&row(), NOW), "{filter}: only what is right counts");
        assert!(!Query::parse(&format!("{filter} nodes>120")).takes(&row(), NOW), "{filter}");
    }
}

#[test]
fn words_are_told_from_terms() {
    let query = Query::parse("ordr -bill \"age>5m\" 10:30 a\u{1b}:b - \"\" \"two words");
    let fuzzy = |text: &str| Word::Fuzzy(text.to_owned());
    let literal = |text: &str| Word::Literal(text.to_owned());
    assert_eq!(
        query.words,
        [
            fuzzy("ordr"),
            Word::Without("bill".to_owned()),
            literal("age>5m"),
            fuzzy("10:30"),
            fuzzy("a\u{1b}:b"),
            literal("two words"),
        ]
    );
    assert_eq!((query.terms.len(), query.problem), (0, None));
}

#[test]
fn the_time_at_which_a_term_turns_is_known() {
    let turn = |filter: &str| Query::parse(filter).turns_at(&row(), NOW);
    let after = |seconds: i64| Some(ago(-seconds) + Duration::from_millis(1));
    assert_eq!(turn("age>2h"), after(3_600));
    assert_eq!(turn("age<2h touched>11m"), after(60), "the first of them");
    assert_eq!(turn("age<2h"), Some(ago(-3_600)));
    assert_eq!(turn("age>30m status:failed"), None, "it has turned");
    let query = Query::parse("age>2h");
    let at = query.turns_at(&row(), NOW).unwrap_or_default();
    assert!(!query.takes(&row(), NOW) && query.takes(&row(), at));
}

#[test]
fn what_is_typed_can_be_completed() {
    let of = |text: &str| Completion::of(text, ["order intake", "ship"].into_iter());
    let done = |text: &str| of(text).apply(text);
    assert_eq!(of("st").choices, ["status:", "stalled"]);
    assert_eq!(done("order st").as_deref(), Some("order status:"));
    assert_eq!(done("-sta").as_deref(), Some("-status:"));
    assert_eq!(done("status:failed,A").as_deref(), Some("status:failed,awaiting"));
    assert_eq!(done("blueprint:o").as_deref(), Some("blueprint:\"order intake\""));
    assert_eq!(done("prog").as_deref(), Some("progress<"));
    for nothing in ["", "order ", "xyz", "age>5m", "stalled", "status:failed", "日"] {
        assert_eq!(done(nothing), None, "{nothing}");
    }
}

#[test]
fn every_term_that_is_explained_is_understood() {
    for info in TERMS.iter().chain(&WORDS) {
        assert_eq!(Query::parse(info.example).problem, None, "{}", info.example);
    }
    for info in &TERMS {
        let names = Completion::of(&info.name[..3], std::iter::empty()).choices;
        assert!(names.iter().any(|name| name == info.name), "{}", info.name);
    }
}

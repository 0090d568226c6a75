#![allow(clippy::unwrap_used)] // Tests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    folding::{Folding, Untouched},
    search::{matches, split},
    tree::{Kind, ValueTree},
};
use crate::monitor::RunDetail;

fn detail(context: Value) -> RunDetail {
    let Value::Object(context) = context else { panic!("not an object") };
    RunDetail { context, ..RunDetail::missing("r".into()) }
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof!["[a-d]{0,2}", "\\PC{0,4}", Just("a/b~c".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-dA-D]{0,6}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_context() -> impl Strategy<Value = RunDetail> {
    prop::collection::vec(("[a-e]{1,3}", any_json()), 0..6)
        .prop_map(|members| detail(Value::Object(members.into_iter().collect::<Map<_, _>>())))
}

/// How many values there are, the one itself with those inside of it.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_value_has_a_place_and_leads_back_to_itself(detail in any_context()) {
        let tree = ValueTree::of(&detail);
        let all: usize = detail.context.values().map(count).sum();
        prop_assert_eq!(tree.len(), all + 3);
        for at in 0..tree.len() {
            prop_assert_eq!(tree.place(&tree.pointer(at)), Some((at, true)), "{}", tree.pointer(at));
            let Some(value) = tree.value(&detail, at) else {
                prop_assert_eq!(tree.depth(at), 0);
                continue;
            };
            match (tree.kind(at), value) {
                (Kind::Object(count), Value::Object(members)) => prop_assert_eq!(count, members.len()),
                (Kind::Array(count), Value::Array(items)) => prop_assert_eq!(count, items.len()),
                (Kind::Text, Value::String(text)) => prop_assert_eq!(tree.text(at), text),
                (Kind::Number | Kind::Word, value) => {
                    prop_assert_eq!(tree.text(at), value.to_string());
                }
                (kind, value) => prop_assert!(false, "{kind:?} is not {value}"),
            }
        }
    }

    #[test]
    fn folding_hides_what_is_inside_and_loses_nothing(
        detail in any_context(),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        open in any::<bool>(),
    ) {
        let tree = ValueTree::of(&detail);
        let untouched = if open { Untouched::Open } else { Untouched::Sections };
        let mut folding = Folding::new(untouched);
        for turn in &turns {
            folding.turn(&tree, turn.index(tree.len()));
        }
        let rows = folding.rows(&tree);
        for at in 0..tree.len() {
            let mut around = tree.parent(at);
            let mut hidden = false;
            while let Some(parent) = around {
                hidden |= !folding.is_open(&tree, parent);
                around = tree.parent(parent);
            }
            prop_assert_eq!(rows.binary_search(&at).is_err(), hidden, "{}", tree.path(at));
        }
        let everything = Folding::new(Untouched::Open).rows(&tree);
        prop_assert_eq!(everything, (0..tree.len()).collect::<Vec<_>>());
        for at in 0..tree.len() {
            let mut folding = folding.clone();
            folding.reveal(&tree, at);
            prop_assert!(folding.rows(&tree).contains(&at), "it was revealed");
        }
    }

    #[test]
    fn folds_follow_their_values_when_the_document_changes(detail in any_context()) {
        let before = ValueTree::of(&detail);
        let mut folding = Folding::default();
        for at in (0..before.len()).filter(|at| at % 2 == 0) {
            folding.turn(&before, at);
        }
        let mut changed = detail.clone();
        let mut context = Map::new();
        context.insert("0 comes first".to_owned(), json!([1, {"x": 2}]));
        context.extend(std::mem::take(&mut changed.context));
        changed.context = context;
        let after = ValueTree::of(&changed);
        for at in 0..before.len() {
            let (there, whole) = after.place(&before.pointer(at)).unwrap();
            prop_assert!(whole);
            prop_assert_eq!(folding.is_open(&before, at), folding.is_open(&after, there));
        }
    }

    #[test]
    fn search_finds_what_is_there_and_nothing_else(
        detail in any_context(),
        query in prop_oneof!["[a-d]{1,2}", "\\PC{1,2}", Just("1".to_owned())],
    ) {
        let tree = ValueTree::of(&detail);
        let found = matches(&tree, &query);
        let small = query.to_lowercase();
        for at in 0..tree.len() {
            let name = match tree.step(at) {
                super::Step::Name(name) => name.to_lowercase(),
                super::Step::Index(_) => String::new(),
            };
            let text = tree.text(at).to_lowercase();
            let is_there = name.contains(&small) || text.contains(&small);
            let is_found = found.binary_search(&at).is_ok();
            // Some characters have small letters that begin in the middle of another's.
            prop_assert!(is_there || !is_found, "{at} has no {query:?}");
            prop_assert!(!is_there || is_found || !query.is_ascii() , "{at} has {query:?}");
        }
    }

    #[test]
    fn splitting_a_text_loses_nothing(text in "\\PC{0,12}", query in "[a-cÄß]{0,2}") {
        let pieces = split(&text, &query);
        let whole: String = pieces.iter().map(|(piece, _)| *piece).collect();
        prop_assert_eq!(&whole, &text);
        for (piece, is_match) in pieces {
            prop_assert!(!is_match || piece.to_lowercase().contains(&query.to_lowercase()));
        }
    }
}

#[test]
fn paths_are_written_as_one_reads_them() {
    let mut detail = detail(json!({}));
    let outputs = json!({"check": {"items": [{"sku": 1}], "a b": {"": 2}}});
    let Value::Object(outputs) = outputs else { unreachable!() };
    detail.outputs = outputs;
    let tree = ValueTree::of(&detail);
    let paths: Vec<String> = (0..tree.len()).map(|at| tree.path(at)).collect();
    assert_eq!(
        paths,
        [
            "context",
            "outputs",
            "outputs.check",
            "outputs.check.items",
            "outputs.check.items[0]",
            "outputs.check.items[0].sku",
            "outputs.check[\"a b\"]",
            "outputs.check[\"a b\"][\"\"]",
            "inputs",
        ]
    );
}

#[test]
fn a_preview_ends_where_the_room_does() {
    let many: Vec<usize> = (0..100_000).collect();
    let tree = ValueTree::of(&detail(json!({"many": many, "one": {"a": "x", "b": [1]}})));
    let preview = tree.preview(1, 20);
    assert!(preview.starts_with("0, 1, 2") && preview.ends_with('…'), "{preview}");
    assert!(preview.len() < 40);
    let (one, _) = tree.place("/context/one").unwrap();
    assert_eq!(tree.preview(one, 20), "a: \"x\", b: [1]");
}

#[test]
fn a_hundred_thousand_values_are_listed_and_searched() {
    let items: Vec<Value> =
        (0..25_000).map(|at| json!({"id": at, "name": format!("item {at}"), "ok": true})).collect();
    let tree = ValueTree::of(&detail(json!({ "items": items })));
    assert_eq!(tree.len(), 100_004);
    let mut folding = Folding::new(Untouched::Open);
    assert_eq!(folding.rows(&tree).len(), tree.len());
    let (items, _) = tree.place("/context/items").unwrap();
    folding.turn(&tree, items);
    assert_eq!(folding.rows(&tree).len(), 4);
    let found = matches(&tree, "ITEM 2499");
    assert_eq!(found.len(), 11, "2499 and 24990 to 24999");
    assert!(folding.reveal(&tree, found[10]));
    assert_eq!(tree.path(found[10]), "context.items[24999].name");
}

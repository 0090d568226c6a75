//! A library of blueprint files follows what happens to them.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use flowcraft_tui::blueprint::{Code, Library, LibraryState, LoadError, sanitize};
use serde_json::json;

fn write(folder: &Path, name: &str, version: &str) {
    let id = name.strip_suffix(".json").unwrap();
    let blueprint = json!({
        "id": id,
        "metadata": { "version": version },
        "nodes": [{ "id": "a", "uses": "extract" }],
    });
    fs::write(folder.join(name), blueprint.to_string()).unwrap();
}

fn version<'a>(state: &'a LibraryState, id: &str) -> Option<&'a str> {
    state.get(id).and_then(|blueprint| blueprint.version())
}

/// Waits until the library is as it should be.
async fn until(
    library: &Library,
    is_so: impl FnMut(&Arc<LibraryState>) -> bool,
) -> Arc<LibraryState> {
    let mut states = library.subscribe();
    let wait = states.wait_for(is_so);
    let state = tokio::time::timeout(Duration::from_secs(20), wait).await;
    state.expect("the change is seen").unwrap().clone()
}

#[test]
fn a_fixed_library_holds_what_it_is_given() {
    let blueprint = |id: &str, uses: &str| {
        sanitize(json!({ "id": id, "nodes": [{ "id": "n", "uses": uses }] })).unwrap()
    };
    let library =
        Library::fixed(vec![blueprint("b", "x"), blueprint("a", "sleep"), blueprint("b", "y")]);
    assert_eq!(library.get(&"b".into()).unwrap().nodes[0].uses, "x");
    assert!(library.get(&"c".into()).is_none());
    let ids: Vec<_> = library.list().iter().map(|blueprint| blueprint.id.to_string()).collect();
    assert_eq!(ids, ["a", "b"]);
    let state = library.state();
    assert_eq!(state.issues("a")[0].code, Code::InvalidDuration);
    assert_eq!((state.issues("b"), state.issues("c"), state.file("a")), (&[][..], &[][..], None));
}

#[test]
fn a_library_knows_files_issues_and_errors() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "good.json", "1");
    fs::write(folder.path().join("bad.json"), "{").unwrap();
    let paths = [folder.path().to_owned()];
    let library = Library::load(&paths, Some(BTreeSet::new()));
    let state = library.state();
    assert_eq!(state.file("good"), Some(folder.path().join("good.json").as_path()));
    assert_eq!(state.issues("good")[0].code, Code::MissingNodeImplementation);
    assert_eq!(state.errors().len(), 1);
    let known = Some(BTreeSet::from(["extract".to_owned()]));
    assert_eq!(Library::load(&paths, known).state().issues("good"), []);
}

#[tokio::test]
async fn changed_new_and_removed_files_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one.json", "1");
    let library = Library::watch(&[folder.path().to_owned()], None);
    assert_eq!(version(&library.state(), "one"), Some("1"));

    write(folder.path(), "one.json", "2");
    until(&library, |state| version(state, "one") == Some("2")).await;
    let one = library.get(&"one".into()).unwrap();
    write(folder.path(), "two.json", "1");
    let state = until(&library, |state| state.get("two").is_some()).await;
    assert!(Arc::ptr_eq(state.get("one").unwrap(), &one), "what did not change is shared");
    fs::remove_file(folder.path().join("one.json")).unwrap();
    until(&library, |state| state.get("one").is_none()).await;
}

#[tokio::test]
async fn a_file_that_became_bad_keeps_its_last_good_version() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one.json", "1");
    let library = Library::watch(&[folder.path().to_owned()], None);
    fs::write(folder.path().join("one.json"), "{ \"id\": \"one\",\n").unwrap();
    let state = until(&library, |state| !state.errors().is_empty()).await;
    assert_eq!(version(&state, "one"), Some("1"));
    assert!(matches!(state.errors(), [LoadError::Syntax { line: 2, .. }]), "{:?}", state.errors());
    write(folder.path(), "one.json", "3");
    let state = until(&library, |state| state.errors().is_empty()).await;
    assert_eq!(version(&state, "one"), Some("3"));
}

#[tokio::test]
async fn a_single_file_is_followed_through_replacement() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one.json", "1");
    let library = Library::watch(&[folder.path().join("one.json")], None);
    // As editors save: a new file in the place of the old one.
    for version_now in ["2", "3"] {
        write(folder.path(), "new.json", version_now);
        let text = fs::read_to_string(folder.path().join("new.json")).unwrap();
        let text = text.replace("\"new\"", "\"one\"");
        fs::write(folder.path().join("new.json"), text).unwrap();
        fs::rename(folder.path().join("new.json"), folder.path().join("one.json")).unwrap();
        let state = until(&library, |state| version(state, "one") == Some(version_now)).await;
        assert!(state.get("new").is_none());
    }
    // Removed, it is gone: there is nothing that became bad.
    fs::remove_file(folder.path().join("one.json")).unwrap();
    let state = until(&library, |state| !state.errors().is_empty()).await;
    assert!(state.get("one").is_none());
}

#[tokio::test]
async fn a_folder_that_comes_later_and_again_is_seen() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("blueprints");
    let library = Library::watch(std::slice::from_ref(&folder), None);
    assert_eq!(library.state().errors().len(), 1);
    for round in ["1", "2"] {
        fs::create_dir(&folder).unwrap();
        // The folder is watched from here on.
        until(&library, |state| state.errors().is_empty()).await;
        write(&folder, "one.json", round);
        until(&library, |state| version(state, "one") == Some(round)).await;
        fs::remove_dir_all(&folder).unwrap();
        until(&library, |state| state.get("one").is_none() && !state.errors().is_empty()).await;
    }
}

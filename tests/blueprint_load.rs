//! Blueprint files and folders, good and bad.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use flowcraft_tui::blueprint::{LoadError, load, load_file};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/blueprints").join(name)
}

/// An error as it is shown, with the path shortened to the file's name.
fn shown(error: &LoadError) -> String {
    let folder = format!("{}/", error.file().parent().unwrap().display());
    error.to_string().replace(&folder, "")
}

#[test]
fn a_folder_gives_the_json_files_directly_in_it() {
    let (loaded, errors) = load(&[fixture("good")]);
    assert!(errors.is_empty(), "{errors:?}");
    let ids: Vec<_> = loaded.iter().map(|entry| entry.blueprint.id.as_str()).collect();
    assert_eq!(ids, ["review", "unnamed"]);
    let review = &loaded[0].blueprint;
    assert_eq!(review.version(), Some("1.2"));
    let nodes: Vec<_> = review.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(nodes, ["draft", "approve", "publish"]);
    assert_eq!(loaded[0].file, fixture("good/review.json"));
}

#[test]
fn files_and_folders_mix_and_count_once() {
    let (loaded, errors) = load(&[fixture("good/unnamed.json"), fixture("good")]);
    assert!(errors.is_empty(), "{errors:?}");
    let ids: Vec<_> = loaded.iter().map(|entry| entry.blueprint.id.as_str()).collect();
    assert_eq!(ids, ["unnamed", "review"]);
}

#[test]
fn bad_files_say_where_and_what_was_expected_and_the_others_load() {
    let (loaded, errors) = load(&[fixture("bad")]);
    let ids: Vec<_> = loaded.iter().map(|entry| entry.blueprint.id.as_str()).collect();
    assert_eq!(ids, ["works"]);
    let errors: Vec<String> = errors.iter().map(shown).collect();
    assert_eq!(
        errors,
        [
            "comma.json:5:5: not JSON: expected `,` or `]`",
            "cut.json:4:15: not JSON: the file ends in the middle of an object",
            "deep.json:1:128: not JSON: recursion limit exceeded",
            "edge-target.json:7:17: edges[1] (from \"a\"): `target` must be a text that is not empty, found a number",
            "empty.json:1:1: not JSON: the file ends in the middle of a value",
            "list.json:1:1: expected an object with `id`, `nodes` and `edges`, found an array",
            "node-without-id.json:5:5: nodes[1]: `id` must be a text that is not empty, found nothing",
            "not-utf8.json:1:10: not JSON: invalid unicode code point",
            "other.json:1:1: the blueprint has no `id`: add one, as text",
        ]
    );
}

#[test]
fn of_two_files_with_one_id_the_first_counts() {
    let (loaded, errors) = load(&[fixture("twice")]);
    assert_eq!(loaded.len(), 1);
    assert!(loaded[0].blueprint.nodes.is_empty());
    let [error] = errors.as_slice() else { panic!("one error: {errors:?}") };
    assert!(matches!(error, LoadError::Duplicate { .. }));
    assert_eq!(
        shown(error),
        "b.json: blueprint \"same\" is also in a.json, which is used: rename one of them"
    );
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    let (loaded, errors) = load(&[fixture("gone.json"), fixture("twice/a.json")]);
    assert_eq!(loaded.len(), 1);
    assert_eq!(errors[0].file(), fixture("gone.json"));
    assert!(shown(&errors[0]).starts_with("gone.json: can't be read: "), "{}", errors[0]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bom.json");
    fs::write(&file, b"\xEF\xBB\xBF{ \"id\": \"bom\" }").unwrap();
    assert_eq!(load_file(&file).unwrap().id.as_str(), "bom");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.json");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(load_file(&path), Err(LoadError::TooLarge { .. })));
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    assert!(matches!(load_file(Path::new("/dev/zero")), Err(LoadError::Read { .. })));
}

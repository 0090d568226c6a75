//! Every wrong configuration under fixtures/config gives the message that its first line names.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use flowcraft_tui::config::{Config, Environment, Overrides};

/// What the first line of a fixture begins with.
const MARK: &str = "# error: ";

#[test]
fn every_wrong_configuration_gives_its_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config");
    let environment = Environment { working_folder: folder.clone(), ..Environment::default() };
    let mut tried = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text);
        let expected = text.lines().next().and_then(|line| line.strip_prefix(MARK));
        let expected = expected.unwrap_or_else(|| panic!("{name} does not say what is wrong"));
        let overrides = Overrides { file: Some(path), assignments: Vec::new() };
        let error = Config::load(&environment, &overrides).expect_err(&name).to_string();
        assert_eq!(error, format!("{name}:{expected}"));
        tried += 1;
    }
    assert!(tried >= 20, "only {tried} fixtures found");
}

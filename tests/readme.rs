//! What the README shows is what there is. `UPDATE_README=1 cargo test --test readme` writes the
//! parts of it that are made from something else.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use clap::Parser as _;
use flowcraft_tui::{
    blueprint::{LintContext, lint, load},
    cli::args::Args,
    nodes::NodeDefinition,
    tui::{filter_table_markdown, key_table_markdown},
};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// Makes sure that the README has this between its marks `<!-- name -->` and `<!-- /name -->`.
fn has_section(name: &str, content: &str) {
    let readme = read("README.md");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&begin).unwrap();
    let (found, after) = rest.split_once(&end).unwrap();
    let expected = format!("{}\n", content.trim_end());
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(path("README.md"), format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "section {name}: run `UPDATE_README=1 cargo test --test readme`");
}

/// A block in a language.
fn block(language: &str, content: &str) -> String {
    format!("```{language}\n{}\n```", content.trim_end())
}

/// The texts of all blocks in a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = read("README.md");
    let begin = format!("```{language}\n");
    readme.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn what_is_made_from_something_else_is_like_it() {
    has_section("ask", &block("json", &read("examples/hello/blueprints/ask.json")));
    has_section("greet", &block("python", &read("examples/hello/greet.py")));
    has_section("keys", &key_table_markdown());
    has_section("filter", &filter_table_markdown());
    has_section("config", &block("toml", &read("src/config/sample.toml")));
}

#[test]
fn every_command_can_be_called_as_it_is_written() {
    let mut called = 0;
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        let words = words(line);
        if words.first().is_none_or(|word| word != "flowcraft-tui") {
            continue;
        }
        called += 1;
        if let Err(error) = Args::try_parse_from(&words) {
            panic!("{line}: {error}");
        }
    }
    assert!(called > 15, "only {called} commands were found");
}

/// The words of a command, as a shell sees them: single quotes, and comments.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap();
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn node_tables_can_be_read() {
    let mut read = 0;
    for block in blocks("toml") {
        let table: toml::Table = block.parse().unwrap();
        let nodes = table.get("nodes").and_then(toml::Value::as_table);
        for definition in nodes.into_iter().flat_map(toml::Table::values) {
            definition.clone().try_into::<NodeDefinition>().unwrap();
            read += 1;
        }
    }
    assert_eq!(read, 2);
}

#[test]
fn linked_files_and_sections_are_there() {
    // Made from a running dashboard once one can be shown.
    let made_later = "screenshots/overview.svg";
    let readme = read("README.md");
    for target in readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        if let Some(section) = target.strip_prefix('#') {
            let anchor = |title: &str| title.to_lowercase().replace(' ', "-");
            let titles = readme.lines().filter_map(|line| line.strip_prefix("## "));
            assert!(titles.map(anchor).any(|anchor| anchor == section), "{target} is not there");
            continue;
        }
        let is_file = !target.starts_with("https://") && target != made_later;
        assert!(!is_file || path(target).exists(), "{target} is not there");
    }
}

#[test]
fn the_example_blueprints_are_sound() {
    let (loaded, errors) = load(&[path("examples/hello/blueprints")]);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(loaded.len(), 2);
    let kinds = BTreeSet::from(["greet".to_owned()]);
    let context = LintContext { implementations: Some(&kinds), blueprints: None };
    for file in loaded {
        assert_eq!(lint(&file.blueprint, &context), [], "{}", file.file.display());
    }
}

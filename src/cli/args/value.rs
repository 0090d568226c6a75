//! Arguments that are more than text.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{blueprint::RunId, cli::exit::CliError, config::Assignment, engine::RunStatus};

/// JSON on the command line, or `@` and the file it is in.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonArg {
    /// The JSON itself.
    Value(Value),
    /// The file.
    File(PathBuf),
}

impl JsonArg {
    /// The JSON. Reads the file if there is one, which blocks.
    pub fn read(self) -> Result<Value, CliError> {
        let path = match self {
            Self::Value(value) => return Ok(value),
            Self::File(path) => path,
        };
        let shown = path.display();
        let text = fs::read_to_string(&path)
            .map_err(|error| CliError::usage(format!("{shown}: can't read it: {error}")))?;
        serde_json::from_str(&text)
            .map_err(|error| CliError::usage(format!("{shown}: not valid JSON: {error}")))
    }
}

/// Reads JSON, or `@` and a path.
pub(super) fn json(text: &str) -> Result<JsonArg, String> {
    match text.strip_prefix('@') {
        Some("") => Err("no file after the @".to_owned()),
        Some(path) => Ok(JsonArg::File(path.into())),
        None => serde_json::from_str(text)
            .map(JsonArg::Value)
            .map_err(|error| format!("not valid JSON ({error}); put @ before the name of a file")),
    }
}

/// Reads `KEY=VALUE`.
pub(super) fn assignment(text: &str) -> Result<Assignment, String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as worker.slots=4")?;
    let key = key.trim();
    Ok(Assignment { key: key.to_owned(), value: value.to_owned(), flag: format!("--set {key}") })
}

/// Reads a run's id.
pub(super) fn run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).map_err(|error| error.to_string())
}

/// Reads a status.
pub(super) fn status(text: &str) -> Result<RunStatus, String> {
    RunStatus::parse(text)
        .ok_or_else(|| "use running, awaiting, completed, failed or cancelled".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn json_or_a_file() {
        assert_eq!(json("{\"n\":1}"), Ok(JsonArg::Value(serde_json::json!({ "n": 1 }))));
        assert_eq!(json("@in.json"), Ok(JsonArg::File("in.json".into())));
        assert!(json("@").is_err());
        assert!(json("in.json").unwrap_err().contains("put @ before"));
    }

    #[test]
    fn a_file_is_read_when_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.json");
        let missing = JsonArg::File(path.clone()).read().unwrap_err();
        assert!(missing.to_string().contains("in.json: can't read it"), "{missing}");
        fs::write(&path, "{\n  \"n\": 1,\n}").unwrap();
        let broken = JsonArg::File(path.clone()).read().unwrap_err();
        assert!(broken.to_string().contains("line 3 column 1"), "{broken}");
        fs::write(&path, "[1]").unwrap();
        assert_eq!(JsonArg::File(path).read().unwrap(), serde_json::json!([1]));
    }

    #[test]
    fn assignments_keep_everything_behind_the_first_equals_sign() {
        let assignment = assignment("cluster.path=a=b").unwrap();
        assert_eq!((assignment.key.as_str(), assignment.value.as_str()), ("cluster.path", "a=b"));
    }
}

//! Blueprints from files and folders.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;

use super::{
    id::BlueprintId,
    locate::locate,
    model::Blueprint,
    sanitize::{SanitizeError, sanitize_as},
};

/// The largest file that is read, in bytes: far above any blueprint, far below the memory.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A blueprint and the file it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedFile {
    /// The file.
    pub file: PathBuf,
    /// What is in it.
    pub blueprint: Arc<Blueprint>,
}

/// Why a file or folder gives no blueprint.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("{}: can't be read: {reason}", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// It is too large to be a blueprint.
    #[error("{}: has {size} bytes, a blueprint file has {LARGEST} at most", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// It is not JSON.
    #[error("{}:{line}:{column}: not JSON: {expected}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in bytes.
        column: usize,
        /// What was expected there.
        expected: String,
    },
    /// It is JSON, and no blueprint.
    #[error("{}:{line}:{column}: {problem}", file.display())]
    Structure {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What was expected there.
        problem: Box<SanitizeError>,
    },
    /// Another file has a blueprint with the same id, which is used.
    #[error(
        "{}: blueprint {id:?} is also in {}, which is used: rename one of them",
        file.display(), first.display()
    )]
    Duplicate {
        /// The file that is left out.
        file: PathBuf,
        /// The file that is used.
        first: PathBuf,
        /// The id that both have.
        id: BlueprintId,
    },
}

impl LoadError {
    /// The file or folder that the error is about.
    pub fn file(&self) -> &Path {
        match self {
            Self::Read { file, .. }
            | Self::TooLarge { file, .. }
            | Self::Syntax { file, .. }
            | Self::Structure { file, .. }
            | Self::Duplicate { file, .. } => file,
        }
    }
}

/// Loads a blueprint file. A blueprint with nodes but no `id` is called by the file's name without
/// `.json`. Blocks while it reads.
///
/// # Errors
///
/// If the file can't be read, has more than 64 MiB, is not JSON or no blueprint.
pub fn load_file(file: &Path) -> Result<Blueprint, LoadError> {
    let unreadable = |reason| LoadError::Read { file: file.to_owned(), reason };
    let about = fs::metadata(file).map_err(unreadable)?;
    if !about.is_file() {
        // Reading a pipe or a device could take for ever.
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    if about.len() > LARGEST {
        return Err(LoadError::TooLarge { file: file.to_owned(), size: about.len() });
    }
    let bytes = fs::read(file).map_err(unreadable)?;
    // Some editors begin a file with a byte order mark, which is not JSON.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let value: Value = serde_json::from_slice(text).map_err(|error| LoadError::Syntax {
        file: file.to_owned(),
        line: error.line(),
        // At the very beginning of a text serde counts from 0.
        column: error.column().max(1),
        expected: what_was_expected(&error),
    })?;
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    sanitize_as(value, stem).map_err(|problem| {
        let position = locate(text, &problem.path());
        LoadError::Structure {
            file: file.to_owned(),
            line: position.line,
            column: position.column,
            problem: Box::new(problem),
        }
    })
}

/// Loads blueprint files, and all `*.json` files directly in folders, in order of their names.
/// A bad file is an error and does not keep the others from loading; of two blueprints with one id
/// the first counts. Blocks while it reads.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> (Vec<LoadedFile>, Vec<LoadError>) {
    let (files, mut errors) = list(paths);
    let mut loaded = Vec::new();
    for file in files {
        match load_file(&file) {
            Ok(blueprint) => loaded.push(LoadedFile { file, blueprint: Arc::new(blueprint) }),
            Err(error) => errors.push(error),
        }
    }
    let (loaded, duplicates) = first_of_each(loaded);
    errors.extend(duplicates);
    (loaded, errors)
}

/// The files that paths stand for, each once. Names that begin with a dot are left out of folders:
/// editors put their own there.
pub(super) fn list<P: AsRef<Path>>(paths: &[P]) -> (Vec<PathBuf>, Vec<LoadError>) {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut errors = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        if !path.is_dir() {
            files.push(path.to_owned());
            continue;
        }
        match in_folder(path) {
            Ok(found) => files.extend(found),
            Err(reason) => errors.push(LoadError::Read { file: path.to_owned(), reason }),
        }
    }
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    (files, errors)
}

fn in_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if is_json && !is_hidden && !path.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Keeps the first of the blueprints that have one id.
pub(super) fn first_of_each(loaded: Vec<LoadedFile>) -> (Vec<LoadedFile>, Vec<LoadError>) {
    let mut first: HashMap<BlueprintId, PathBuf> = HashMap::new();
    let mut kept = Vec::with_capacity(loaded.len());
    let mut errors = Vec::new();
    for entry in loaded {
        let id = entry.blueprint.id.clone();
        if let Some(first) = first.get(&id) {
            errors.push(LoadError::Duplicate { file: entry.file, first: first.clone(), id });
        } else {
            first.insert(id, entry.file.clone());
            kept.push(entry);
        }
    }
    (kept, errors)
}

/// The message of a JSON error without the position, which is given apart.
fn what_was_expected(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(&*message, |(message, _)| message);
    match message.strip_prefix("EOF while parsing ") {
        Some(what) => format!("the file ends in the middle of {what}"),
        None => message.to_owned(),
    }
}

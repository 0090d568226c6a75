//! Documents as rows: a commit writes those that its operations change, and a reader that knows an
//! older version gets those that changed since.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

use super::fault::Trouble;
use crate::{
    blueprint::{NodeId, RunId},
    cluster::{Fault, ReadDocument, Version},
    engine::{Head, Op, RunDocument},
};

const CREATE: &str = "INSERT INTO documents (run, version, head, head_rev) VALUES (?1, 1, ?2, 1) \
                      ON CONFLICT (run) DO NOTHING RETURNING id";

const RAISE: &str = "UPDATE documents SET version = version + 1 \
                     WHERE run = ?1 AND version = ?2 RETURNING id";

const RAISE_WITH_HEAD: &str = "\
UPDATE documents SET version = version + 1, head = ?3, head_rev = version + 1 \
WHERE run = ?1 AND version = ?2 RETURNING id";

const SET: &str = "\
INSERT INTO parts (document, kind, name, rev, value) VALUES (?1, ?2, ?3, ?4, ?5) \
ON CONFLICT (document, kind, name) DO UPDATE SET rev = excluded.rev, value = excluded.value";

const REMOVE: &str = "UPDATE parts SET rev = ?4, value = NULL \
                      WHERE document = ?1 AND kind = ?2 AND name = ?3 AND value IS NOT NULL";

pub(super) const FIND: &str = "SELECT id, version, head, head_rev FROM documents WHERE run = ?1";

pub(super) const CHANGES: &str =
    "SELECT kind, name, value FROM parts WHERE document = ?1 AND rev > ?2";

pub(super) const WHOLE: &str = "SELECT kind, name, value FROM parts WHERE document = ?1";

/// What a row of `parts` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Key = 0,
    Node = 1,
}

/// A row to be written; one without a value is removed.
struct Part {
    kind: Kind,
    name: Arc<str>,
    value: Option<String>,
}

/// A commit, or a new document, as rows.
pub(super) struct Rows {
    head: Option<String>,
    parts: Vec<Part>,
}

/// The deepest nesting that can be read back.
const DEEPEST: usize = 127;

fn encode(value: &impl Serialize) -> Result<String, Trouble> {
    let text = serde_json::to_string(value).map_err(|error| {
        Trouble::new(Fault::Refused, format!("a value can't be written as JSON ({error})"))
    })?;
    let depth = nesting(&text);
    if depth > DEEPEST {
        let detail = format!(
            "a value is nested {depth} levels deep; {DEEPEST} can be read back, so make it flatter"
        );
        return Err(Trouble::new(Fault::Refused, detail));
    }
    Ok(text)
}

/// How deep lists and objects are nested in a JSON text.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}

impl Rows {
    /// The rows of a whole document.
    pub(super) fn of_document(document: &RunDocument) -> Result<Self, Trouble> {
        let mut parts = Vec::new();
        for (key, value) in document.context() {
            parts.push(Part { kind: Kind::Key, name: key.clone(), value: Some(encode(value)?) });
        }
        for (node, entry) in document.entries() {
            let name = Arc::from(node.as_str());
            parts.push(Part { kind: Kind::Node, name, value: Some(encode(entry)?) });
        }
        Ok(Self { head: Some(encode(document.head())?), parts })
    }

    /// The rows that operations write.
    pub(super) fn of_commit(ops: &[Op]) -> Result<Self, Trouble> {
        let mut rows = Self { head: None, parts: Vec::with_capacity(ops.len()) };
        for op in ops {
            let (kind, name, value) = match op {
                Op::Set(key, value) => (Kind::Key, key.clone(), Some(encode(value)?)),
                Op::Remove(key) => (Kind::Key, key.clone(), None),
                Op::Node(node, entry) => {
                    (Kind::Node, Arc::from(node.as_str()), Some(encode(entry)?))
                }
                Op::RemoveNode(node) => (Kind::Node, Arc::from(node.as_str()), None),
                Op::Head(head) => {
                    rows.head = Some(encode(head)?);
                    continue;
                }
            };
            rows.parts.push(Part { kind, name, value });
        }
        Ok(rows)
    }

    fn write(&self, connection: &Connection, document: i64, rev: i64) -> Result<(), Trouble> {
        let mut set = connection.prepare_cached(SET)?;
        let mut remove = connection.prepare_cached(REMOVE)?;
        for part in &self.parts {
            let kind = part.kind as i64;
            match &part.value {
                Some(value) => set.execute(params![document, kind, &*part.name, rev, value])?,
                None => remove.execute(params![document, kind, &*part.name, rev])?,
            };
        }
        Ok(())
    }

    /// Creates a document.
    pub(super) fn create(&self, connection: &Connection, run: &str) -> Result<Version, Trouble> {
        let id: Option<i64> = connection
            .prepare_cached(CREATE)?
            .query_row(params![run, self.head], |row| row.get(0))
            .optional()?;
        self.write(connection, id.ok_or_else(Trouble::exists)?, 1)?;
        Ok(Version("1".to_owned()))
    }

    /// Commits to the document that has this version.
    pub(super) fn commit(
        &self,
        connection: &Connection,
        run: &str,
        expected: i64,
    ) -> Result<Version, Trouble> {
        let raised: Option<i64> = match &self.head {
            None => connection
                .prepare_cached(RAISE)?
                .query_row(params![run, expected], |row| row.get(0)),
            Some(head) => connection
                .prepare_cached(RAISE_WITH_HEAD)?
                .query_row(params![run, expected, head], |row| row.get(0)),
        }
        .optional()?;
        let id = raised.ok_or_else(Trouble::changed)?;
        let version = expected + 1;
        self.write(connection, id, version)?;
        Ok(Version(version.to_string()))
    }
}

/// A version as the table has it; nothing if it is none of ours.
pub(super) fn parse_version(version: &Version) -> Option<i64> {
    version.0.parse().ok().filter(|number| *number > 0)
}

/// Reads a document, or what changed in it since the `known` version.
pub(super) fn read(
    connection: &Connection,
    run: &RunId,
    known: Option<i64>,
) -> Result<ReadDocument, Trouble> {
    let found = connection
        .prepare_cached(FIND)?
        .query_row(params![run.as_str()], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, i64>(3)?,
            ))
        })
        .optional()?;
    let Some((id, version, head, head_rev)) = found else {
        return Ok(ReadDocument::Missing);
    };
    let current = Version(version.to_string());
    match known {
        Some(known) if known == version => Ok(ReadDocument::Unchanged),
        Some(known) if known < version => {
            let mut ops = Vec::new();
            if head_rev > known {
                ops.push(Op::Head(Arc::new(decode_head(run, &head)?)));
            }
            let mut statement = connection.prepare_cached(CHANGES)?;
            read_parts(&mut statement.query(params![id, known])?, run, &mut ops)?;
            Ok(ReadDocument::Changes(ops, current))
        }
        _ => {
            let mut ops = Vec::new();
            let mut statement = connection.prepare_cached(WHOLE)?;
            read_parts(&mut statement.query(params![id])?, run, &mut ops)?;
            let mut document = RunDocument::new(decode_head(run, &head)?);
            for op in &ops {
                document.apply(op);
            }
            Ok(ReadDocument::Whole(Box::new(document), current))
        }
    }
}

/// Reads rows as the operations that would write them.
fn read_parts(
    rows: &mut rusqlite::Rows<'_>,
    run: &RunId,
    ops: &mut Vec<Op>,
) -> Result<(), Trouble> {
    while let Some(row) = rows.next()? {
        let kind = if row.get::<_, i64>(0)? == Kind::Key as i64 { Kind::Key } else { Kind::Node };
        let name: String = row.get(1)?;
        let value: Option<String> = row.get(2)?;
        ops.push(match (kind, value) {
            (Kind::Key, None) => Op::Remove(name.into()),
            (Kind::Node, None) => Op::RemoveNode(name.into()),
            (Kind::Key, Some(text)) => {
                let value = decode(&text, || format!("key {name:?} of run {:?}", run.as_str()))?;
                Op::Set(name.into(), Arc::new(value))
            }
            (Kind::Node, Some(text)) => {
                let entry = decode(&text, || format!("node {name:?} of run {:?}", run.as_str()))?;
                Op::Node(NodeId::from(name), Arc::new(entry))
            }
        });
    }
    Ok(())
}

fn decode_head(run: &RunId, text: &str) -> Result<Head, Trouble> {
    decode(text, || format!("the head of run {:?}", run.as_str()))
}

fn decode<T: DeserializeOwned>(text: &str, what: impl FnOnce() -> String) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|error| Trouble::unreadable(&what(), &error))
}

//! The tables of the file, and whose file it is.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Trouble;
use crate::cluster::Fault;

/// Marks a file as ours: "flow" in ASCII.
const APPLICATION_ID: i32 = 0x666c_6f77;

/// The version of the tables below.
const VERSION: i32 = 1;

/// Times are milliseconds since 1970.
///
/// `messages` has no receipt until it is received; ids are never used twice.
/// `parts` are a document's context keys (kind 0) and its nodes' entries (kind 1); `rev` is the
/// document's version that changed the part last, and a part without a value has been removed.
/// `statuses.change` is the place of the item's last write among all writes of items, and its
/// version; `item` is the whole item as JSON, the other columns are those that lists ask for.
const TABLES: &str = "
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    visible_at INTEGER NOT NULL,
    inserted_at INTEGER NOT NULL,
    dequeued INTEGER NOT NULL,
    receipt INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX messages_by_visibility ON messages (lane, visible_at, inserted_at);

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    head TEXT NOT NULL,
    head_rev INTEGER NOT NULL
) STRICT;

CREATE TABLE parts (
    document INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    rev INTEGER NOT NULL,
    value TEXT,
    PRIMARY KEY (document, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_by_rev ON parts (document, rev);

CREATE TABLE statuses (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    change INTEGER NOT NULL,
    status TEXT,
    blueprint TEXT,
    started_at INTEGER,
    last_updated INTEGER NOT NULL,
    next_due_at INTEGER,
    item TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX statuses_by_change ON statuses (change);
CREATE INDEX statuses_by_start ON statuses (started_at);
CREATE INDEX statuses_by_status ON statuses (status, started_at);
CREATE INDEX statuses_by_blueprint ON statuses (blueprint, started_at, status);
CREATE INDEX statuses_by_due ON statuses (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    lease INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_expiry ON keys (lease, expires_at);

CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    heartbeat TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Creates the tables in a new file; makes sure that an old one is ours before it is touched.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Trouble> {
    let (application, version) = marks(connection)?;
    if application == APPLICATION_ID && version == VERSION {
        return Ok(());
    }
    // From here on nobody else can be about to create them.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_new(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// Whose file it is, and of which version.
fn marks(connection: &Connection) -> Result<(i32, i32), Trouble> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

/// Whether the file is empty. Fails if its tables are of a newer version, or not ours.
fn is_new(connection: &Connection) -> Result<bool, Trouble> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match marks(connection)? {
        (APPLICATION_ID, VERSION) => Ok(false),
        (APPLICATION_ID, version) if version > VERSION => Err(Trouble::new(
            Fault::Refused,
            format!(
                "made by a newer version of this program (its tables are of version {version}, \
                 known are those up to {VERSION}); update the program or use another file"
            ),
        )),
        (0, 0) if tables == 0 => Ok(true),
        _ => Err(Trouble::new(
            Fault::Refused,
            "a SQLite database of another program; use another file",
        )),
    }
}

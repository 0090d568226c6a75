//! A run's document as one item of the contexts container: its keys beside those that Cosmos DB and
//! JavaScript workers know, and the ledger under a key of its own.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

use crate::{
    blueprint::{BlueprintId, NodeId, RunId},
    engine::{Entry, Head, RunDocument, Timestamp},
};

/// The key of the ledger.
const LEDGER: &str = "_ledger";
/// The key of the user's values whose own keys mean something else in an item.
const RESERVED: &str = "_reserved";
const BLUEPRINT_ID: &str = "blueprintId";
const BLUEPRINT_VERSION: &str = "blueprintVersion";

/// Whether a key of a run's context can't be a property of its item by that name.
fn is_reserved(key: &str) -> bool {
    matches!(
        key,
        "id" | "runId"
            | "_rid"
            | "_self"
            | "_etag"
            | "_attachments"
            | "_ts"
            | RESERVED
            | BLUEPRINT_ID
            | BLUEPRINT_VERSION
    ) || key.starts_with(LEDGER)
}

/// A document as it is written.
pub(super) struct ContextItem<'a> {
    pub(super) run: &'a RunId,
    pub(super) document: &'a RunDocument,
}

impl Serialize for ContextItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head = self.document.head();
        let mut item = serializer.serialize_map(None)?;
        item.serialize_entry("id", self.run)?;
        item.serialize_entry("runId", self.run)?;
        if let Some(blueprint) = head.blueprint() {
            item.serialize_entry(BLUEPRINT_ID, blueprint)?;
        }
        // JavaScript workers drop the job of a run without this key: null stands for no version.
        item.serialize_entry(BLUEPRINT_VERSION, &head.blueprint_version)?;
        for (key, value) in self.document.context().filter(|(key, _)| !is_reserved(key)) {
            item.serialize_entry(&**key, value)?;
        }
        let reserved = Reserved(self.document);
        if reserved.entries().next().is_some() {
            item.serialize_entry(RESERVED, &reserved)?;
        }
        if !head.is_unadopted() {
            item.serialize_entry(LEDGER, &LedgerItem { head, nodes: Nodes(self.document) })?;
        }
        item.end()
    }
}

struct Reserved<'a>(&'a RunDocument);

impl Reserved<'_> {
    fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Value>)> {
        self.0.context().filter(|(key, _)| is_reserved(key))
    }
}

impl Serialize for Reserved<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries())
    }
}

#[derive(Serialize)]
struct LedgerItem<'a> {
    head: &'a Head,
    nodes: Nodes<'a>,
}

struct Nodes<'a>(&'a RunDocument);

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.entries())
    }
}

#[derive(Deserialize)]
struct Ledger {
    head: Head,
    nodes: BTreeMap<NodeId, Arc<Entry>>,
}

/// A document as it is read: of ours, or of a run that only JavaScript workers have touched.
pub(super) struct StoredDocument(pub(super) RunDocument);

impl<'de> Deserialize<'de> for StoredDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = StoredDocument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a run's item")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StoredDocument, A::Error> {
        let mut ledger: Option<Ledger> = None;
        let mut blueprint: Option<Value> = None;
        let mut version: Option<Value> = None;
        let mut written_at: Option<f64> = None;
        let mut context: Vec<(Arc<str>, Arc<Value>)> = Vec::new();
        let mut reserved: Option<Value> = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                LEDGER => ledger = map.next_value()?,
                BLUEPRINT_ID => blueprint = Some(map.next_value()?),
                BLUEPRINT_VERSION => version = Some(map.next_value()?),
                "_ts" => written_at = map.next_value().ok(),
                RESERVED => reserved = Some(map.next_value()?),
                key if is_reserved(key) => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => context.push((key.into(), map.next_value()?)),
            }
        }
        match (reserved, &ledger) {
            (Some(Value::Object(values)), _) => {
                for (key, value) in values {
                    context.push((key.into(), Arc::new(value)));
                }
            }
            (Some(_), Some(_)) => return Err(de::Error::custom("\"_reserved\" is no object")),
            // Somebody else's key.
            (Some(value), None) => context.push((RESERVED.into(), Arc::new(value))),
            (None, _) => {}
        }
        let (head, nodes) = if let Some(ledger) = ledger {
            (ledger.head, ledger.nodes)
        } else {
            let text = |value: Option<Value>| match value {
                Some(Value::String(text)) => Some(text),
                _ => None,
            };
            let started = Timestamp::from_seconds(whole_seconds(written_at.unwrap_or(0.0)));
            let blueprint = text(blueprint).map(BlueprintId::from);
            (Head::unadopted(blueprint, text(version), started), BTreeMap::new())
        };
        Ok(StoredDocument(RunDocument::from_parts(head, context, nodes)))
    }
}

/// Seconds, rounded down.
// What is cut off lies far beyond any time of day.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use serde_json::json;

    use super::*;
    use crate::engine::{NodeState, Op, testing::document_with};

    fn written(document: &RunDocument) -> Value {
        serde_json::to_value(ContextItem { run: &RunId::from("r1"), document }).unwrap()
    }

    fn read(item: &Value) -> RunDocument {
        let text = serde_json::to_string(item).unwrap();
        serde_json::from_str::<StoredDocument>(&text).unwrap().0
    }

    #[test]
    fn javascript_workers_find_the_header_and_every_key() {
        let document = document_with(&[("_outputs.a", json!(1)), ("x/y", json!({"z": null}))]);
        let item = written(&document);
        assert_eq!(item["id"], "r1");
        assert_eq!(item["runId"], "r1");
        assert_eq!(item["blueprintId"], *document.head().blueprint_id);
        assert!(item.get("blueprintVersion").is_some_and(Value::is_null));
        assert_eq!(item["_outputs.a"], 1);
        assert_eq!(item["x/y"], json!({"z": null}));
        assert!(item.get("_reserved").is_none());
    }

    #[test]
    fn names_that_mean_something_else_come_back_as_ordinary_keys() {
        let names = [
            "id",
            "runId",
            "_rid",
            "_self",
            "_etag",
            "_attachments",
            "_ts",
            "_ledger",
            "_ledger2",
            "_reserved",
            "blueprintId",
            "blueprintVersion",
            "",
            "_outputs.b",
        ];
        let keys: Vec<_> = names.iter().map(|name| (*name, json!({ "of": name }))).collect();
        let mut document = document_with(&keys);
        let entry = Entry { state: NodeState::Completed, ..Entry::default() };
        document.apply(&Op::Node("b".into(), Arc::new(entry)));
        let mut item = written(&document);
        assert_eq!(item["id"], "r1", "the item's own id stays");
        for (key, value) in [("_rid", json!("x")), ("_etag", json!("\"e\"")), ("_ts", json!(17))] {
            item[key] = value;
        }
        let back = read(&item);
        assert_eq!(back.head(), document.head());
        assert!(back.context().eq(document.context()));
        assert!(back.entries().eq(document.entries()));
    }

    #[test]
    fn an_item_without_a_ledger_is_a_run_that_nobody_of_ours_has_touched() {
        let item = json!({
            "id": "r1", "runId": "r1", "blueprintId": "b", "blueprintVersion": "2",
            "_outputs.a": {"v": 1}, "k": "v", "_ts": 1_700_000_000, "_etag": "\"1\""
        });
        let document = read(&item);
        assert!(document.head().is_unadopted());
        assert_eq!(document.head().blueprint_version.as_deref(), Some("2"));
        assert_eq!(document.head().started_at, Timestamp::from_seconds(1_700_000_000));
        let keys: Vec<_> = document.context().map(|(key, _)| &**key).collect();
        assert_eq!(keys, ["_outputs.a", "k"]);
        let bare = read(&json!({"id": "r1", "k": 1, "_reserved": 1}));
        assert_eq!(bare.get("_reserved").map(|value| (**value).clone()), Some(json!(1)));
        assert!(bare.head().is_unadopted());
        assert_eq!(bare.head().blueprint_version, None);
    }

    #[test]
    fn a_damaged_ledger_is_an_error() {
        let mut reserved = written(&document_with(&[]));
        reserved["_reserved"] = json!(1);
        for damaged in [json!({"_ledger": {"head": 1}}), reserved] {
            let text = damaged.to_string();
            assert!(serde_json::from_str::<StoredDocument>(&text).is_err(), "{text}");
        }
    }
}

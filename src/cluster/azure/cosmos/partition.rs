//! Which partition an item lies in. Clients that leave out `runId` put their items into the
//! partition of the undefined key; the first write of ours moves such an item where it belongs.

use azure_core::http::Etag;
use azure_data_cosmos::{PartitionKey, models::PartitionKeyValue, options::Precondition};

use crate::{blueprint::RunId, cluster::Version};

/// Marks the version of an item in the partition of the undefined key.
const MISPLACED: &str = "undefined-partition:";

/// An item's state, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// In its run's partition.
    Placed(Etag),
    /// In the partition of the undefined key.
    Misplaced(Etag),
}

impl Held {
    /// Reads a version; nothing if it can be no item's.
    pub(super) fn of(version: &Version) -> Option<Self> {
        let etag = |text: &str| {
            let sendable =
                !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            sendable.then(|| Etag::from(text.to_owned()))
        };
        match version.0.strip_prefix(MISPLACED) {
            Some(text) => etag(text).map(Self::Misplaced),
            None => etag(&version.0).map(Self::Placed),
        }
    }

    /// The version of an item in this state.
    pub(super) fn version(&self) -> Version {
        match self {
            Self::Placed(etag) => Version(etag.to_string()),
            Self::Misplaced(etag) => Version(format!("{MISPLACED}{etag}")),
        }
    }
}

/// The partition of a run's items.
pub(super) fn of_run(run: &RunId) -> PartitionKey {
    PartitionKey::from(run.to_string())
}

/// The partition of items without a run id.
pub(super) fn undefined() -> PartitionKey {
    PartitionKey::from(PartitionKeyValue::UNDEFINED)
}

/// Only if the item is in this state.
pub(super) fn only_if(etag: &Etag) -> Precondition {
    Precondition::if_match(etag.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_says_where_its_item_lies() {
        for held in [Held::Placed("\"1\"".into()), Held::Misplaced("\"1\"".into())] {
            assert_eq!(Held::of(&held.version()), Some(held));
        }
        for text in ["", "🦀", "a\nb", "undefined-partition:"] {
            assert_eq!(Held::of(&Version(text.to_owned())), None, "{text:?}");
        }
    }
}

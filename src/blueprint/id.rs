//! Names of things: cheap to clone, impossible to mix up.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};

/// Declares a name type over shared text.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name_type! {
    /// The id of a node within its blueprint. Any characters.
    NodeId
}

name_type! {
    /// The id of a blueprint.
    BlueprintId
}

name_type! {
    /// The id of a run. Use [`RunId::parse`] for ids that come from outside.
    RunId
}

name_type! {
    /// The name of a worker, unique in its cluster.
    WorkerName
}

/// Why a text can't be a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRunId {
    /// Nothing in it.
    #[error("a run id can't be empty")]
    Empty,
    /// Longer than a Cosmos DB id may be.
    #[error("a run id has at most 255 characters, this one has {0}")]
    TooLong(usize),
    /// A character that Cosmos DB ids can't hold.
    #[error("a run id can't contain {0:?}: leave out / \\ ? # and control characters")]
    Character(char),
}

impl RunId {
    /// Checks an id that comes from outside: 1 to 255 characters, none of `/ \ ? #`, no control
    /// characters (the limits of a Cosmos DB item id).
    pub fn parse(text: &str) -> Result<Self, BadRunId> {
        if text.is_empty() {
            return Err(BadRunId::Empty);
        }
        let length = text.chars().count();
        if length > 255 {
            return Err(BadRunId::TooLong(length));
        }
        match text.chars().find(|c| matches!(c, '/' | '\\' | '?' | '#') || c.is_control()) {
            Some(c) => Err(BadRunId::Character(c)),
            None => Ok(Self::from(text)),
        }
    }
}

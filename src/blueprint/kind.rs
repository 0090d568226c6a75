//! The kinds of node that every worker has.

/// A kind of node that needs no implementation of the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    Wait,
    Sleep,
    Subflow,
    BatchScatter,
    BatchGather,
    LoopController,
    Webhook,
}

impl BuiltIn {
    /// The kind that a node's `uses` names, if it is a built-in one.
    pub(crate) fn of(uses: &str) -> Option<Self> {
        Some(match uses {
            "wait" => Self::Wait,
            "sleep" => Self::Sleep,
            "subflow" | "SubflowNode" => Self::Subflow,
            "batch-scatter" => Self::BatchScatter,
            "batch-gather" => Self::BatchGather,
            "loop-controller" => Self::LoopController,
            "webhook" => Self::Webhook,
            _ => return None,
        })
    }

    /// Whether what it does depends on its input.
    pub(crate) fn reads_input(self) -> bool {
        matches!(self, Self::Sleep | Self::Subflow | Self::BatchScatter)
    }
}

#[cfg(test)]
mod tests {
    use super::BuiltIn;

    #[test]
    fn every_built_in_name_has_a_kind() {
        for name in crate::nodes::BUILT_IN {
            assert!(BuiltIn::of(name).is_some(), "{name}");
        }
        assert_eq!(BuiltIn::of("batch-other"), None);
    }
}

//! The kinds of issue.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Probably not what was meant.
    Warning,
    /// Can't work: a start is refused.
    Error,
}

impl Severity {
    /// The word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Declares the codes with their names and severities.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $severity:ident;)*) => {
        /// The kind of an issue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// Its name, as in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// How bad issues of this kind are.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)*
                }
            }
        }
    };
}

codes! {
    /// A node uses a kind that no worker has.
    MissingNodeImplementation = "MISSING_NODE_IMPLEMENTATION", Error;
    /// A batch's `workerUsesKey` names a kind that no worker has.
    InvalidBatchWorkerKey = "INVALID_BATCH_WORKER_KEY", Error;
    /// A subflow names a blueprint that is not there.
    InvalidSubflowBlueprintId = "INVALID_SUBFLOW_BLUEPRINT_ID", Error;
    /// A subflow names no blueprint.
    SubflowWithoutBlueprint = "SUBFLOW_WITHOUT_BLUEPRINT", Error;
    /// A subflow leads back to the blueprint it is in.
    SubflowRecursion = "SUBFLOW_RECURSION", Warning;
    /// Two nodes have one id; the second is never looked at.
    DuplicateNodeId = "DUPLICATE_NODE_ID", Warning;
    /// `params`, `inputs`, `config` or a setting in it has the wrong type and is left out.
    WrongType = "WRONG_TYPE", Error;
    /// A number is written as text.
    NumberAsText = "NUMBER_AS_TEXT", Warning;
    /// `config` has a member that means nothing.
    UnknownConfigKey = "UNKNOWN_CONFIG_KEY", Warning;
    /// A member of `inputs` is not text, so the node fails.
    InvalidInputs = "INVALID_INPUTS", Error;
    /// `maxRetries` is below one; the node is tried once all the same.
    RetriesBelowOne = "RETRIES_BELOW_ONE", Warning;
    /// `retryDelay` is given, but the node is tried only once.
    RetryDelayWithoutRetries = "RETRY_DELAY_WITHOUT_RETRIES", Warning;
    /// `retryDelay` or `timeout` is negative and therefore not used.
    NegativeTime = "NEGATIVE_TIME", Warning;
    /// `config.fallback` names a node that is not there.
    FallbackNotFound = "FALLBACK_NOT_FOUND", Error;
    /// Fallbacks lead back to the node they stand in for.
    FallbackCycle = "FALLBACK_CYCLE", Error;
    /// A sleep node's duration is missing, negative or no duration.
    InvalidDuration = "INVALID_DURATION", Error;
    /// A scatter or gather lacks a setting that it needs, or has it with the wrong type.
    InvalidBatchParam = "INVALID_BATCH_PARAM", Error;
    /// A scatter names a gather that is not there.
    BatchGatherNotFound = "BATCH_GATHER_NOT_FOUND", Error;
    /// Nothing leads to a batch's gather, so that it starts with the run, before the batch.
    GatherStartsEarly = "GATHER_STARTS_EARLY", Warning;
    /// A gather's `gatherNodeId` is not its own id.
    GatherNamesAnother = "GATHER_NAMES_ANOTHER", Warning;
    /// A loop controller's condition is missing, or the evaluator can't read it.
    InvalidLoopCondition = "INVALID_LOOP_CONDITION", Error;
    /// A loop controller has no `continue` edge.
    LoopWithoutContinue = "LOOP_WITHOUT_CONTINUE", Error;
    /// A loop controller has no way out.
    LoopWithoutExit = "LOOP_WITHOUT_EXIT", Error;
    /// A loop controller with several predecessors waits for all of them.
    LoopJoinNotAny = "LOOP_JOIN_NOT_ANY", Warning;
    /// A loop controller's `maxIterations` is no whole number above zero.
    InvalidMaxIterations = "INVALID_MAX_ITERATIONS", Warning;
    /// The blueprint has no nodes.
    EmptyBlueprint = "EMPTY_BLUEPRINT", Warning;
    /// A webhook node always fails: there is no endpoint for its requests.
    WebhookUnsupported = "WEBHOOK_UNSUPPORTED", Warning;
    /// An edge comes from a node that is not there.
    InvalidEdgeSource = "INVALID_EDGE_SOURCE", Warning;
    /// An edge leads to a node that is not there.
    InvalidEdgeTarget = "INVALID_EDGE_TARGET", Warning;
    /// The evaluator can't read an edge's condition, which is therefore never true.
    InvalidCondition = "INVALID_CONDITION", Error;
    /// The evaluator can't read an edge's transform, which therefore never has a value.
    InvalidTransform = "INVALID_TRANSFORM", Error;
    /// An expression can be read, but names something that is never there.
    DeadExpression = "DEAD_EXPRESSION", Warning;
    /// A node can't be reached from a start node.
    OrphanNode = "ORPHAN_NODE", Warning;
    /// A node waits for a node that can't finish before it.
    NeverReady = "NEVER_READY", Warning;
    /// A node waits for branches of which only one is taken.
    ExclusiveAllJoin = "EXCLUSIVE_ALL_JOIN", Warning;
    /// A node's input is that of whichever predecessor finishes last.
    AmbiguousInput = "AMBIGUOUS_INPUT", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

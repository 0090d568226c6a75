//! Which code runs for what a blueprint's node `uses`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use super::context::{NodeContext, NodeError, NodeOutput};

/// A kind of node: code that runs for every blueprint node that `uses` it.
///
/// The future is dropped when the node is cancelled or out of time; what must be cleaned up then
/// belongs into a drop guard.
#[async_trait]
pub trait Node: Send + Sync {
    /// Runs once. Attempts, delays and fallbacks are the worker's business.
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError>;
}

/// The kinds of node that a worker can run.
#[derive(Clone, Default)]
pub struct Registry {
    nodes: BTreeMap<String, Arc<dyn Node>>,
}

impl Registry {
    /// An empty registry. The built-in kinds need no entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of node, in place of what had that name before.
    #[must_use]
    pub fn with(mut self, uses: impl Into<String>, node: impl Node + 'static) -> Self {
        self.insert(uses, Arc::new(node));
        self
    }

    /// Adds a function as a kind of node: it gets the context and returns an output or an error.
    #[must_use]
    pub fn with_fn<F>(self, uses: impl Into<String>, function: F) -> Self
    where
        F: Fn(&mut NodeContext) -> Result<NodeOutput, NodeError> + Send + Sync + 'static,
    {
        self.with(uses, Function(function))
    }

    /// Adds a kind of node, in place of what had that name before.
    pub fn insert(&mut self, uses: impl Into<String>, node: Arc<dyn Node>) {
        self.nodes.insert(uses.into(), node);
    }

    /// The code for a kind of node.
    pub fn get(&self, uses: &str) -> Option<&Arc<dyn Node>> {
        self.nodes.get(uses)
    }

    /// The registered names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

struct Function<F>(F);

#[async_trait]
impl<F> Node for Function<F>
where
    F: Fn(&mut NodeContext) -> Result<NodeOutput, NodeError> + Send + Sync,
{
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        (self.0)(context)
    }
}

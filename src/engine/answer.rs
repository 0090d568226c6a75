//! Answering a node that waits.

use std::sync::Arc;

use serde_json::Value;

use super::{
    draft::Draft,
    event::{Answer, Refusal, Verdict},
    graph::edge_action,
    ledger::{Awaits, NodeState},
    outcome::Completion,
};
use crate::blueprint::NodeId;

impl Draft<'_> {
    /// Somebody answers: the node completes with what they gave, as if it had returned it.
    pub(super) fn answered(&mut self, answer: &Answer) -> Result<(), Verdict> {
        let refuse = |refusal| Err(Verdict::Refused(refusal));
        if let Some(node) = &answer.node
            && self.entry(node).by.as_deref() == Some(&answer.token)
        {
            return Err(Verdict::AlreadyApplied);
        }
        let status = self.document.status();
        if status.is_final() {
            return refuse(Refusal::Ended(status));
        }
        let waiting: Vec<NodeId> = self.document.awaiting().cloned().collect();
        let node = match (&answer.node, waiting.as_slice()) {
            (Some(node), _) => node.clone(),
            (None, []) => return refuse(Refusal::NothingWaits),
            (None, [only]) => only.clone(),
            (None, several) => return refuse(Refusal::SeveralWait(several.to_vec())),
        };
        let Some(definition) = self.definition(&node) else {
            return refuse(Refusal::NoSuchNode(node));
        };
        let entry = self.entry(&node);
        if entry.state != NodeState::Awaiting {
            return refuse(Refusal::DoesNotWait { node, state: entry.state.as_str() });
        }
        if let Some(Awaits::Child { run, .. }) = &entry.awaits {
            return refuse(Refusal::AskChild { node, run: run.clone() });
        }
        if let Some(action) = answer.action.as_deref().filter(|action| !action.is_empty()) {
            let mut actions: Vec<String> = Vec::new();
            let mut usable = false;
            let mut edges = 0;
            for edge in self.graph.outgoing(&definition.id) {
                edges += 1;
                let named = edge_action(edge);
                usable |= named.is_none_or(|named| named == action);
                actions.extend(named.map(str::to_owned));
            }
            if edges > 0 && !usable {
                actions.dedup();
                let action = action.to_owned();
                return refuse(Refusal::NoSuchAction { node, action, actions });
            }
        }
        match &answer.action {
            Some(action) => self.set("_resume.action", Value::from(action.as_str())),
            None => self.remove("_resume.action"),
        }
        match &answer.output {
            Some(output) => self.set("_resume.output", output.clone()),
            None => self.remove("_resume.output"),
        }
        let token = answer.token.clone();
        self.update(&node, |entry| entry.by = Some(token));
        let mut output = answer.output.clone().map(Arc::new);
        if output.is_none() && entry.awaits == Some(Awaits::Timer) {
            output = self.resolve_input(&node).unwrap_or_default();
        }
        let completion =
            Completion { output, action: answer.action.clone(), ..Completion::default() };
        self.complete(&node, completion);
        Ok(())
    }
}

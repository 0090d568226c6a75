//! Random blueprints over all features, whose results do not depend on who is first.

use flowcraft_tui::blueprint::{Blueprint, sanitize};
use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use serde_json::{Value, json};

/// A blueprint made from a seed, with the blueprints of its subflows.
pub(crate) struct Made {
    pub(crate) main: Blueprint,
    pub(crate) children: Vec<Blueprint>,
}

/// A blueprint under construction.
struct Builder<'r> {
    random: &'r mut SmallRng,
    prefix: String,
    nodes: Vec<Value>,
    edges: Vec<Value>,
    children: Vec<Blueprint>,
    count: usize,
    /// How much deeper blocks may nest.
    depth: u32,
    /// Whether nodes that wait for an answer are allowed: not in a loop, where every pass asks.
    waits: bool,
}

/// Makes a blueprint.
pub(crate) fn make(random: &mut SmallRng) -> Made {
    let mut builder = Builder {
        random,
        prefix: "n".to_owned(),
        nodes: Vec::new(),
        edges: Vec::new(),
        children: Vec::new(),
        count: 0,
        depth: 2,
        waits: true,
    };
    let start = builder.node("const", json!({"params": {"value": 1}}));
    let end = builder.sequence(&start);
    let last = builder.node("add", json!({"params": {"n": 1000}}));
    builder.edge(&end, &last, json!({}));
    builder.finish("sim")
}

impl Builder<'_> {
    fn finish(self, id: &str) -> Made {
        let main = json!({"id": id, "nodes": self.nodes, "edges": self.edges});
        Made { main: sanitize(main).unwrap(), children: self.children }
    }

    fn node(&mut self, uses: &str, more: Value) -> String {
        let id = format!("{}{}", self.prefix, self.count);
        self.count += 1;
        let mut node = more;
        node["id"] = id.clone().into();
        node["uses"] = uses.into();
        self.nodes.push(node);
        id
    }

    fn edge(&mut self, source: &str, target: &str, more: Value) {
        let mut edge = more;
        edge["source"] = source.into();
        edge["target"] = target.into();
        self.edges.push(edge);
    }

    /// Some blocks one after the other. Returns the node that the next thing follows.
    fn sequence(&mut self, from: &str) -> String {
        let mut at = from.to_owned();
        for _ in 0..self.random.random_range(1..=3) {
            at = self.block(&at);
        }
        at
    }

    fn block(&mut self, from: &str) -> String {
        let kinds: &[fn(&mut Self, &str) -> String] = &[
            Self::step,
            Self::fork,
            Self::any_join,
            Self::decision,
            Self::action,
            Self::repeat,
            Self::nested_loops,
            Self::batch,
            Self::subflow,
            Self::pause,
            Self::question,
            Self::retries,
            Self::fallback,
            Self::shared_fallback,
            Self::failing_side_branch,
            Self::dynamic,
            Self::without_output,
            Self::untaken_join,
            Self::failing_child,
        ];
        let kind = *kinds.choose(self.random).unwrap();
        kind(self, from)
    }

    fn after(&mut self, from: &str, uses: &str, more: Value) -> String {
        let id = self.node(uses, more);
        self.edge(from, &id, json!({}));
        id
    }

    fn step(&mut self, from: &str) -> String {
        let n = self.random.random_range(1..9);
        self.after(from, "add", json!({"params": {"n": n}}))
    }

    fn fork(&mut self, from: &str) -> String {
        if self.depth == 0 {
            return self.step(from);
        }
        self.depth -= 1;
        let ends: Vec<String> = (0..self.random.random_range(2..5))
            .map(|_| {
                let first = self.step(from);
                if self.random.random_bool(0.5) { self.block(&first) } else { first }
            })
            .collect();
        self.depth += 1;
        let inputs: serde_json::Map<_, _> =
            ends.iter().map(|end| (end.clone(), Value::from(end.as_str()))).collect();
        let join = self.node("sum", json!({"inputs": inputs}));
        for end in ends {
            self.edge(&end, &join, json!({}));
        }
        join
    }

    fn any_join(&mut self, from: &str) -> String {
        let join =
            self.node("const", json!({"params": {"value": 3}, "config": {"joinStrategy": "any"}}));
        for _ in 0..self.random.random_range(2..5) {
            let branch = self.step(from);
            self.edge(&branch, &join, json!({}));
        }
        join
    }

    fn decision(&mut self, from: &str) -> String {
        let n = self.random.random_range(0..40);
        let test = self.after(from, "compare", json!({"params": {"n": n}}));
        let low = self.node("pick", json!({"params": {"path": "value"}}));
        let high = self.node("pick", json!({"params": {"path": "value"}}));
        self.edge(&test, &low, json!({"condition": "result.output.lt"}));
        self.edge(&test, &high, json!({"condition": "result.output.ge"}));
        let join = self.node("echo", json!({"config": {"joinStrategy": "any"}}));
        self.edge(&low, &join, json!({}));
        self.edge(&high, &join, json!({}));
        join
    }

    fn action(&mut self, from: &str) -> String {
        let chosen = *["yes", "no", "odd"].choose(self.random).unwrap();
        let decides = self.after(from, "emit-action", json!({"params": {"action": chosen}}));
        let join = self.node("echo", json!({"config": {"joinStrategy": "any"}}));
        for action in [Some("yes"), Some("no"), None] {
            let branch = self.node("add", json!({"params": {"n": 2}}));
            let edge = action.map_or(json!({}), |action| json!({"action": action}));
            self.edge(&decides, &branch, edge);
            self.edge(&branch, &join, json!({}));
        }
        join
    }

    /// The nodes before and at a loop's head; the key of its flag and counter.
    fn loop_head(&mut self, from: &str) -> (String, String) {
        let key = format!("{}more{}", self.prefix, self.count);
        let init = self.after(from, "set-ctx", json!({"params": {"key": key, "value": true}}));
        let head = self.node(
            "loop-controller",
            json!({"params": {"condition": key}, "config": {"joinStrategy": "any"}}),
        );
        self.edge(&init, &head, json!({}));
        (head, key)
    }

    fn loop_tail(&mut self, last: &str, head: &str, key: &str, passes: u64) -> String {
        let count = format!("{key}-count");
        let check = self
            .node("incr-check", json!({"params": {"key": count, "flag": key, "limit": passes}}));
        self.edge(last, &check, json!({}));
        self.edge(&check, head, json!({}));
        let done = self.node("get-ctx", json!({"params": {"key": count}}));
        self.edge(head, &done, json!({"action": "break"}));
        done
    }

    fn repeat(&mut self, from: &str) -> String {
        let (head, key) = self.loop_head(from);
        let body = self.node("const", json!({"params": {"value": 2}}));
        self.edge(&head, &body, json!({"action": "continue"}));
        let mut last = body;
        if self.depth > 0 {
            self.depth -= 1;
            let waits = std::mem::replace(&mut self.waits, false);
            for _ in 0..self.random.random_range(0..3) {
                last = self.block(&last);
            }
            self.waits = waits;
            self.depth += 1;
        }
        let passes = self.random.random_range(1..4);
        self.loop_tail(&last, &head, &key, passes)
    }

    fn nested_loops(&mut self, from: &str) -> String {
        let (outer, outer_key) = self.loop_head(from);
        let before = self.node("const", json!({"params": {"value": 1}}));
        self.edge(&outer, &before, json!({"action": "continue"}));
        let reset = self.after(&before, "const", json!({"params": {"value": 0}}));
        let (inner, inner_key) = self.loop_head(&reset);
        let body = self.node("noop", json!({}));
        self.edge(&inner, &body, json!({"action": "continue"}));
        // The inner counter goes on over the passes of the outer loop: one more pass each.
        let done = self.loop_tail(&body, &inner, &inner_key, 2);
        self.loop_tail(&done, &outer, &outer_key, 2)
    }

    fn batch(&mut self, from: &str) -> String {
        let items = self.random.random_range(0..7);
        let source = self.after(from, "range", json!({"params": {"from": 0, "to": items}}));
        let gather = format!("{}{}", self.prefix, self.count + 1);
        let mut params = json!({"workerUsesKey": "double", "gatherNodeId": gather});
        if self.random.random_bool(0.4) {
            params["chunkSize"] = self.random.random_range(1..4).into();
        }
        let scatter =
            self.after(&source, "batch-scatter", json!({"params": params, "inputs": source}));
        let collects =
            self.after(&scatter, "batch-gather", json!({"params": {"gatherNodeId": gather}}));
        assert_eq!(collects, gather);
        self.after(&collects, "sum", json!({}))
    }

    fn child(&mut self, build: impl FnOnce(&mut Builder<'_>)) -> String {
        let id = format!("{}child{}", self.prefix, self.children.len());
        let mut builder = Builder {
            random: self.random,
            prefix: format!("{id}-"),
            nodes: Vec::new(),
            edges: Vec::new(),
            children: Vec::new(),
            count: 0,
            depth: 0,
            waits: self.waits,
        };
        build(&mut builder);
        let Made { main, children } = builder.finish(&id);
        self.children.push(main);
        self.children.extend(children);
        id
    }

    fn subflow(&mut self, from: &str) -> String {
        if self.depth == 0 {
            return self.step(from);
        }
        let id = self.child(|child| {
            let start = child.node("add", json!({"params": {"n": 5}}));
            let end = child.block(&start);
            child.after(&end, "add", json!({"params": {"n": 1}}));
        });
        self.after(from, "subflow", json!({"params": {"blueprintId": id}}))
    }

    fn failing_child(&mut self, from: &str) -> String {
        let id = self.child(|child| {
            let start = child.node("add", json!({"params": {"n": 5}}));
            child.after(&start, "fail", json!({}));
        });
        let spare = self.node("const", json!({"params": {"value": 11}}));
        let config = json!({"maxRetries": 2, "fallback": spare});
        let fails =
            self.after(from, "subflow", json!({"params": {"blueprintId": id}, "config": config}));
        let after = self.node("echo", json!({}));
        self.edge(&fails, &after, json!({}));
        after
    }

    fn pause(&mut self, from: &str) -> String {
        let ms = *[0, 40, 3_000, 600_000].choose(self.random).unwrap();
        self.after(from, "sleep", json!({"params": {"duration": ms}}))
    }

    fn question(&mut self, from: &str) -> String {
        if !self.waits {
            return self.step(from);
        }
        let asks = self.after(from, "wait", json!({}));
        let yes = self.node("pick", json!({"params": {"path": "n"}}));
        let no = self.node("const", json!({"params": {"value": 0}}));
        self.edge(&asks, &yes, json!({"action": "approve"}));
        self.edge(&asks, &no, json!({"action": "reject"}));
        let join = self.node("echo", json!({"config": {"joinStrategy": "any"}}));
        self.edge(&yes, &join, json!({}));
        self.edge(&no, &join, json!({}));
        join
    }

    fn retries(&mut self, from: &str) -> String {
        let key = format!("{}k{}", self.prefix, self.count);
        let delay = *[0, 50, 5_000].choose(self.random).unwrap();
        self.after(
            from,
            "fail-n-times",
            json!({
                "params": {"key": key, "n": 2, "value": 7},
                "config": {"maxRetries": 3, "retryDelay": delay},
            }),
        )
    }

    fn fallback(&mut self, from: &str) -> String {
        let spare = self.node("const", json!({"params": {"value": 5}}));
        let config = json!({"maxRetries": 2, "fallback": spare});
        let fails = self.after(from, "fail", json!({"config": config}));
        let after = self.node("add", json!({"params": {"n": 1}}));
        self.edge(&fails, &after, json!({}));
        after
    }

    fn shared_fallback(&mut self, from: &str) -> String {
        let spare = self.node("const", json!({"params": {"value": 4}}));
        let ends: Vec<String> = (0..self.random.random_range(2..4))
            .map(|number| {
                let uses = if number == 1 { "echo" } else { "fail" };
                let primary = self.after(from, uses, json!({"config": {"fallback": spare}}));
                let end = self.node("const", json!({"params": {"value": number}}));
                self.edge(&primary, &end, json!({}));
                end
            })
            .collect();
        let inputs: serde_json::Map<_, _> =
            ends.iter().map(|end| (end.clone(), Value::from(end.as_str()))).collect();
        let join = self.node("sum", json!({"inputs": inputs}));
        for end in ends {
            self.edge(&end, &join, json!({}));
        }
        join
    }

    fn failing_side_branch(&mut self, from: &str) -> String {
        let fails = self.after(from, "fail-fatal", json!({}));
        let dead = self.node("echo", json!({}));
        self.edge(&fails, &dead, json!({}));
        self.step(from)
    }

    fn dynamic(&mut self, from: &str) -> String {
        let count = self.random.random_range(1..4);
        self.after(from, "spawn", json!({"params": {"count": count}}))
    }

    fn without_output(&mut self, from: &str) -> String {
        let silent = self.after(from, "noop", json!({}));
        self.after(&silent, "add", json!({"params": {"n": 6}}))
    }

    fn untaken_join(&mut self, from: &str) -> String {
        let test = self.after(from, "compare", json!({"params": {"n": 1}}));
        let low = self.node("const", json!({"params": {"value": 1}}));
        let high = self.node("const", json!({"params": {"value": 2}}));
        self.edge(&test, &low, json!({"condition": "result.output.lt"}));
        self.edge(&test, &high, json!({"condition": "result.output.ge"}));
        let never = self.node("sum", json!({"inputs": {"l": low, "h": high}}));
        self.edge(&low, &never, json!({}));
        self.edge(&high, &never, json!({}));
        self.step(from)
    }
}

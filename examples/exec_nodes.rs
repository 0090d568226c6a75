//! A program for nodes of kind `exec`, and how to write one.
//!
//! The engine starts it, writes one request a line on its stdin, and reads one answer a line from
//! its stdout; then comes the next request. Nothing else may be written on stdout. Whatever it
//! writes on stderr goes to the engine's log. It ends when its stdin closes.
//!
//! One program may serve several kinds of node: `uses` in the request says which is meant.
//!
//! ```toml
//! [nodes.add]
//! kind = "exec"
//! command = ["exec_nodes"]
//!
//! [nodes.upper]
//! kind = "exec"
//! command = ["exec_nodes"]
//! ```

use std::{
    error::Error,
    io::{self, BufRead, Write},
};

use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let mut node = Node::new(&request);
        let result = node.run(text(&request["uses"]));
        let mut answer = node.answer(result);
        // Each answer names the request that it is for.
        answer.insert("id".to_owned(), request["id"].clone());
        serde_json::to_writer(&mut stdout, &answer)?;
        // The engine waits for the whole line: end it, and don't leave it in a buffer.
        stdout.write_all(b"\n")?;
        stdout.flush()?;
    }
    Ok(())
}

/// How a node ends well.
enum Done {
    /// Without an output, which is not the same as with null.
    Nothing,
    Output(Value),
    /// With the edges that are to be taken.
    Action(Value, Option<String>),
}

/// How a node fails.
enum Failed {
    /// Another attempt, or the node's fallback, may help.
    Ordinary(String),
    /// Nothing will help.
    Fatal(String),
}

/// One request, and the writes made so far in answering it.
struct Node<'a> {
    request: &'a Value,
    set: Map<String, Value>,
    delete: Vec<String>,
}

impl<'a> Node<'a> {
    fn new(request: &'a Value) -> Self {
        Self { request, set: Map::new(), delete: Vec::new() }
    }

    /// The input; nothing if the request has none.
    fn input(&self) -> Option<&'a Value> {
        self.request.get("input")
    }

    fn input_or_null(&self) -> Value {
        self.input().cloned().unwrap_or(Value::Null)
    }

    fn number_input(&self) -> f64 {
        self.input().and_then(Value::as_f64).unwrap_or(0.0)
    }

    fn param(&self, name: &str) -> Option<&'a Value> {
        self.request["params"].get(name)
    }

    fn number_param(&self, name: &str, default: f64) -> f64 {
        self.param(name).and_then(Value::as_f64).unwrap_or(default)
    }

    fn text_param(&self, name: &str, default: &'a str) -> &'a str {
        self.param(name).and_then(Value::as_str).unwrap_or(default)
    }

    /// A name means the output of the node with that id, if there is one, else the context key.
    fn get(&self, name: &str) -> Option<Value> {
        if let Some(output) = self.request["outputs"].get(name) {
            return Some(output.clone());
        }
        if self.delete.iter().any(|key| key == name) {
            return None;
        }
        self.set.get(name).or_else(|| self.request["context"].get(name)).cloned()
    }

    fn set(&mut self, name: &str, value: Value) {
        self.delete.retain(|key| key != name);
        self.set.insert(name.to_owned(), value);
    }

    fn delete(&mut self, name: &str) {
        self.set.remove(name);
        self.delete.push(name.to_owned());
    }

    /// The answer, without its id. Writes are part of it even if the node failed.
    fn answer(self, result: Result<Done, Failed>) -> Map<String, Value> {
        let mut answer = Map::new();
        let mut add = |member: &str, value| answer.insert(member.to_owned(), value);
        if !self.set.is_empty() || !self.delete.is_empty() {
            add("context", json!({ "set": self.set, "delete": self.delete }));
        }
        match result {
            Ok(Done::Nothing) => {}
            Ok(Done::Output(output)) => {
                add("output", output);
            }
            Ok(Done::Action(output, action)) => {
                add("output", output);
                if let Some(action) = action {
                    add("action", json!(action));
                }
            }
            Err(Failed::Ordinary(message)) => {
                add("error", json!({ "message": message }));
            }
            Err(Failed::Fatal(message)) => {
                add("error", json!({ "message": message, "fatal": true }));
            }
        }
        answer
    }

    fn run(&mut self, uses: &str) -> Result<Done, Failed> {
        let output = match uses {
            "const" => return Ok(self.param("value").cloned().map_or(Done::Nothing, Done::Output)),
            "noop" => return Ok(Done::Nothing),
            "emit-action" => return Ok(self.emit_action()),
            "fail" => return Err(Failed::Ordinary(self.text_param("message", "boom").to_owned())),
            "fail-fatal" => {
                return Err(Failed::Fatal(self.text_param("message", "fatal boom").to_owned()));
            }
            "echo" => self.input_or_null(),
            "add" => number(self.number_input() + self.number_param("n", 1.0)),
            "double" => number(self.number_input() * 2.0),
            "upper" => self.upper()?,
            "sum" => number(items(self.input()).into_iter().filter_map(Value::as_f64).sum()),
            "concat" => self.concat(),
            "fail-n-times" => self.fail_n_times()?,
            "fail-if" => self.fail_if()?,
            "set-ctx" => self.set_ctx(),
            "get-ctx" => self.get(self.text_param("key", "")).unwrap_or(Value::Null),
            "delete-ctx" => self.delete_ctx(),
            "incr" => self.incr(),
            "incr-check" => self.incr_check(),
            "compare" => self.compare(),
            "range" => self.range(),
            "pick" => self.pick(),
            other => return Err(Failed::Fatal(format!("this program has no node {other:?}"))),
        };
        Ok(Done::Output(output))
    }

    fn emit_action(&self) -> Done {
        let action = match self.param("actionKey").and_then(Value::as_str) {
            Some(key) => self.get(key).and_then(|value| value.as_str().map(str::to_owned)),
            None => self.param("action").and_then(Value::as_str).map(str::to_owned),
        };
        Done::Action(self.input_or_null(), action)
    }

    fn upper(&self) -> Result<Value, Failed> {
        match self.input().and_then(Value::as_str) {
            Some(input) => Ok(json!(input.to_ascii_uppercase())),
            None => Err(Failed::Ordinary("upper: input is not a string".to_owned())),
        }
    }

    fn concat(&self) -> Value {
        let separator = self.text_param("sep", "");
        let texts: Vec<_> = items(self.input())
            .into_iter()
            .map(|item| match item {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                Value::Number(_) => item.as_f64().map(number).unwrap_or_default().to_string(),
                Value::Bool(truth) => truth.to_string(),
                Value::Array(_) | Value::Object(_) => "?".to_owned(),
            })
            .collect();
        json!(texts.join(separator))
    }

    fn fail_n_times(&mut self) -> Result<Value, Failed> {
        let key = format!("fails_{}", self.text_param("key", ""));
        let failures = self.get(&key).and_then(|value| value.as_f64()).unwrap_or(0.0);
        if failures < self.number_param("n", 0.0) {
            let failures = number(failures + 1.0);
            let message = format!("planned failure {failures}");
            self.set(&key, failures);
            return Err(Failed::Ordinary(message));
        }
        Ok(self.param("value").cloned().unwrap_or_else(|| json!("ok")))
    }

    fn fail_if(&self) -> Result<Value, Failed> {
        let bad = self.param("value").cloned().unwrap_or_else(|| json!("bad"));
        if self.input() == Some(&bad) {
            return Err(Failed::Ordinary("bad item".to_owned()));
        }
        Ok(self.input_or_null())
    }

    fn set_ctx(&mut self) -> Value {
        let value = self.param("value").cloned().unwrap_or_else(|| self.input_or_null());
        self.set(self.text_param("key", ""), value.clone());
        value
    }

    fn delete_ctx(&mut self) -> Value {
        let key = self.text_param("key", "");
        let existed = self.get(key).is_some();
        self.delete(key);
        json!(existed)
    }

    fn incr(&mut self) -> Value {
        let by = self.number_param("by", 1.0);
        self.raise(by)
    }

    fn incr_check(&mut self) -> Value {
        let value = self.raise(1.0);
        let below = value.as_f64().is_some_and(|value| value < self.number_param("limit", 0.0));
        self.set(self.text_param("flag", ""), json!(below));
        value
    }

    /// Adds to the context key that the node is about.
    fn raise(&mut self, by: f64) -> Value {
        let key = self.text_param("key", "");
        let value = number(self.get(key).and_then(|value| value.as_f64()).unwrap_or(0.0) + by);
        self.set(key, value.clone());
        value
    }

    fn compare(&self) -> Value {
        let (x, n) = (self.number_input(), self.number_param("n", 0.0));
        json!({ "value": number(x), "lt": x < n, "ge": x >= n })
    }

    fn range(&self) -> Value {
        let bound = |name| self.param(name).and_then(Value::as_i64).unwrap_or(0);
        (bound("from")..bound("to")).collect()
    }

    fn pick(&self) -> Value {
        let path = self.text_param("path", "");
        match self.input() {
            Some(Value::Object(members)) => members.get(path),
            Some(Value::Array(items)) => path.parse().ok().and_then(|at: usize| items.get(at)),
            _ => None,
        }
        .cloned()
        .unwrap_or(Value::Null)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// An array's items in order, or an object's values in the order of their names.
fn items(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Object(members)) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.into_iter().map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}

/// A number as JSON: without a fraction where it has none.
fn number(value: f64) -> Value {
    // Beyond that a double can't hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        // Whole and in range, as just seen.
        #[allow(clippy::cast_possible_truncation)]
        return json!(value as i64);
    }
    json!(value)
}

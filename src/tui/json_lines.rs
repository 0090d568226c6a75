//! JSON in lines for reading: indented, bounded, with long texts cut.

use serde_json::Value;

/// Texts are cut after this many characters.
const TEXT_LIMIT: usize = 400;

/// A value in indented lines, `limit` of them at most.
pub(super) fn json_lines(value: &Value, limit: usize) -> Vec<String> {
    let mut writer = Writer { lines: vec![String::new()], limit };
    writer.value(value, 0);
    let cut = writer.lines.len() > limit;
    writer.lines.truncate(limit);
    if cut {
        writer.lines.push("…".to_owned());
    }
    writer.lines
}

struct Writer {
    lines: Vec<String>,
    limit: usize,
}

impl Writer {
    fn put(&mut self, text: &str) {
        if let Some(line) = self.lines.last_mut() {
            line.push_str(text);
        }
    }

    fn next_line(&mut self, depth: usize) {
        self.lines.push("  ".repeat(depth.min(20)));
    }

    fn is_full(&self) -> bool {
        self.lines.len() > self.limit
    }

    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.put("[");
                for (at, item) in items.iter().enumerate() {
                    self.next_line(depth + 1);
                    if self.is_full() {
                        return;
                    }
                    self.value(item, depth + 1);
                    self.put(if at + 1 < items.len() { "," } else { "" });
                }
                self.next_line(depth);
                self.put("]");
            }
            Value::Object(members) if !members.is_empty() => {
                self.put("{");
                for (at, (key, item)) in members.iter().enumerate() {
                    self.next_line(depth + 1);
                    if self.is_full() {
                        return;
                    }
                    self.text(key);
                    self.put(": ");
                    self.value(item, depth + 1);
                    self.put(if at + 1 < members.len() { "," } else { "" });
                }
                self.next_line(depth);
                self.put("}");
            }
            Value::String(text) => self.text(text),
            plain => self.put(&plain.to_string()),
        }
    }

    fn text(&mut self, text: &str) {
        match text.char_indices().nth(TEXT_LIMIT) {
            None => self.put(&Value::from(text).to_string()),
            Some((end, _)) => {
                self.put(&Value::from(&text[..end]).to_string());
                self.put(&format!(" … ({} bytes)", text.len()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests.

    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_indented_and_bounded() {
        let value = json!({"a": [1, {"b": null}], "c": {}, "d": "x"});
        let lines = json_lines(&value, 50);
        assert_eq!(lines.join("\n"), serde_json::to_string_pretty(&value).unwrap());
        let many = json!((0..100_000).collect::<Vec<_>>());
        let lines = json_lines(&many, 5);
        assert_eq!(lines, ["[", "  0,", "  1,", "  2,", "  3,", "…"]);
        let long = json!("é".repeat(5_000));
        assert!(json_lines(&long, 5)[0].ends_with("… (10000 bytes)"));
    }
}

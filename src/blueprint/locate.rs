//! Where in a JSON text a value stands.

use super::sanitize::Step;

/// A place in a text file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Finds the value at the end of a path in a text that is known to be JSON; where the path leads
/// nowhere, the last value on the way.
pub(crate) fn locate(text: &[u8], path: &[Step]) -> Position {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    for step in path {
        match reader.child(*step) {
            Some(at) => reader.at = at,
            None => break,
        }
    }
    let before = &text[..reader.at.min(text.len())];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Position {
        line: before.split(|byte| *byte == b'\n').count(),
        // Characters, not bytes: continuation bytes don't count.
        column: before[line_start..].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1,
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if byte == b'"' {
                break;
            }
        }
    }

    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        return;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 1 => depth -= 1,
                b'}' | b']' => {
                    // The end of this value, or of the one around it.
                    self.at += depth;
                    return;
                }
                b',' if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Where the value starts that a step leads to from the value that starts here.
    fn child(&self, step: Step) -> Option<usize> {
        let mut reader = Self { text: self.text, at: self.at };
        let is_object = match reader.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        reader.at += 1;
        let mut found = None;
        for index in 0.. {
            reader.skip_space();
            if matches!(reader.peek(), None | Some(b'}' | b']')) {
                break;
            }
            let key_start = reader.at;
            if is_object {
                reader.skip_string();
            }
            let key = &reader.text[key_start..reader.at.min(reader.text.len())];
            reader.skip_space();
            if is_object && reader.peek() == Some(b':') {
                reader.at += 1;
                reader.skip_space();
            }
            match step {
                Step::Nth(wanted) if wanted == index => return Some(reader.at),
                // The last one counts where a member is written twice.
                Step::Member(wanted) if is_object && is_key(key, wanted) => found = Some(reader.at),
                _ => {}
            }
            reader.skip_value();
            reader.skip_space();
            if reader.peek() == Some(b',') {
                reader.at += 1;
            }
        }
        found
    }
}

fn is_key(written: &[u8], wanted: &str) -> bool {
    serde_json::from_slice::<String>(written).is_ok_and(|key| key == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &[Step]) -> (usize, usize) {
        let position = locate(text.as_bytes(), path);
        (position.line, position.column)
    }

    #[test]
    fn values_are_found_in_arrays_and_objects() {
        let text = "{ \"x\": [1, {\"a\": \"}]\\\"\"}],\n  \"nodes\": [\n    {\"id\": 1},\n    {\"ü\": 2, \"id\": []}\n] }";
        let nodes = Step::Member("nodes");
        assert_eq!(at(text, &[nodes]), (2, 12));
        assert_eq!(at(text, &[nodes, Step::Nth(0)]), (3, 5));
        assert_eq!(at(text, &[nodes, Step::Nth(1)]), (4, 5));
        assert_eq!(at(text, &[nodes, Step::Nth(1), Step::Member("id")]), (4, 20));
        assert_eq!(at("{\"nodes\":{\"a\":1,\"b\":\n[]}}", &[nodes, Step::Nth(1)]), (2, 1));
    }

    #[test]
    fn a_path_that_leads_nowhere_ends_at_its_last_value() {
        let text = "\n{\"nodes\": [ {} ]}";
        let path = [Step::Member("nodes"), Step::Nth(0), Step::Member("id")];
        assert_eq!(at(text, &path), (2, 13));
        assert_eq!(at(text, &[Step::Member("edges")]), (2, 1));
        assert_eq!(at("", &path), (1, 1));
    }

    #[test]
    fn text_that_is_not_json_does_no_harm() {
        let path = [Step::Member("a"), Step::Nth(1)];
        for text in
            ["{", "{\"", "{\"a", "{\"a\\", "[", "{\"a\":[", "{\"a\":[1,", "]]", "{]", "{:,}"]
        {
            at(text, &path);
        }
    }
}

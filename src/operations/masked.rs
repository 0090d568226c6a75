//! Error texts without what changes from one failure to the next, so that two failures for the same
//! reason read the same.

/// What stands for something that changes.
const MASK: char = '#';

/// How much of a text counts, in characters.
const READ: usize = 1_000;

/// How long a masked text may be, in characters.
const KEPT: usize = 240;

/// An id of hexadecimal digits has at least so many; a shorter word may be one by chance.
const HEX: usize = 8;

/// A word of letters and digits that is this long is an id.
const RANDOM: usize = 16;

/// The text with `#` in place of numbers, times, ids, and what is quoted. `known` are ids that are
/// known to be in it, such as the run's.
///
/// Masked are: numbers with their units (`30s`, `1m30s`, `1.5`, `10.0.0.1:80`), times, UUIDs,
/// hexadecimal ids of eight and more digits, parts of paths with a digit in them, long words of
/// letters and digits, and whatever stands in quotes. Other words keep their letters: `order-4711`
/// becomes `order-#`. What is masked side by side counts as one.
pub(super) fn masked(text: &str, known: &[&str]) -> String {
    let text: String = text
        .chars()
        .take(READ)
        .map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c })
        .collect();
    let text = known.iter().fold(text, |text, id| without(&text, id));
    let text = without_quoted(&text);
    let mut out = Masked::default();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if !is_part(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let in_path = out.text.ends_with('/') || after.starts_with('/');
        mask_word(word, in_path, &mut out);
        rest = after;
    }
    let masked = out.text.trim();
    match masked.char_indices().nth(KEPT) {
        Some((end, _)) => masked[..end].trim_end().to_owned(),
        None => masked.to_owned(),
    }
}

/// An id without what changes in it from run to run: that of a node that was made while running.
pub(super) fn masked_id(id: &str) -> String {
    if (0..id.len()).any(|at| uuid_at(id, at)) { masked(id, &[]) } else { id.to_owned() }
}

/// Whether a character belongs to a word.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

/// The text with an id masked wherever it is a word of its own.
fn without(text: &str, id: &str) -> String {
    if id.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(id) {
        let (before, found) = rest.split_at(at);
        let after = &found[id.len()..];
        out.push_str(before);
        let alone = !out.ends_with(char::is_alphanumeric)
            && !after.starts_with(|c: char| c.is_alphanumeric());
        if alone {
            out.push(MASK);
        } else {
            out.push_str(id);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The text with a mask between quotes. A quote that is never closed is a character like others.
fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.chars().next() {
        let after = &rest[open.len_utf8()..];
        let close = match open {
            '"' | '`' => Some(open),
            '“' => Some('”'),
            '«' => Some('»'),
            // An apostrophe within a word opens nothing.
            '\'' if !out.ends_with(char::is_alphanumeric) => Some(open),
            _ => None,
        };
        out.push(open);
        rest = match close.and_then(|close| Some((close, closing(after, close)?))) {
            Some((close, end)) => {
                out.push(MASK);
                out.push(close);
                &after[end + close.len_utf8()..]
            }
            None => after,
        };
    }
    out
}

/// Where a quote is closed.
fn closing(text: &str, close: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c == close {
            let follows = text[at + c.len_utf8()..].starts_with(char::is_alphanumeric);
            if close != '\'' || !follows {
                return Some(at);
            }
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

/// A text under way in which masks side by side are one.
#[derive(Default)]
struct Masked {
    text: String,
}

impl Masked {
    fn push(&mut self, c: char) {
        match c {
            MASK => self.mask(),
            ' ' if self.text.ends_with(' ') => {}
            c => self.text.push(c),
        }
    }

    fn mask(&mut self) {
        let joins = |c: char| matches!(c, '-' | '_' | '.' | ',' | ':' | '/' | '+' | ' ');
        // A sign.
        if let Some(before) = self.text.strip_suffix(['-', '+'])
            && before.chars().next_back().is_none_or(|c| matches!(c, ' ' | '(' | '[' | '=' | ':'))
        {
            let end = before.len();
            self.text.truncate(end);
        }
        let before = self.text.trim_end_matches(joins);
        if before.ends_with(MASK) && self.text.len() - before.len() <= 2 {
            let end = before.len();
            self.text.truncate(end);
        } else {
            self.text.push(MASK);
        }
    }
}

fn mask_word(word: &str, in_path: bool, out: &mut Masked) {
    let has_digit = word.contains(char::is_numeric);
    if in_path && has_digit {
        return out.mask();
    }
    let mut rest = word;
    while let Some(at) = (0..rest.len()).find(|at| uuid_at(rest, *at)) {
        mask_atoms(&rest[..at], out);
        out.mask();
        rest = &rest[at + UUID.len()..];
    }
    mask_atoms(rest, out);
}

fn mask_atoms(word: &str, out: &mut Masked) {
    for piece in word.split_inclusive(['-', '_']) {
        let atom = piece.trim_end_matches(['-', '_']);
        if is_number(atom) || is_id(atom) {
            out.mask();
        } else {
            let mut in_number = false;
            for c in atom.chars() {
                if !c.is_numeric() {
                    out.push(c);
                } else if !in_number {
                    out.mask();
                }
                in_number = c.is_numeric();
            }
        }
        for joint in piece[atom.len()..].chars() {
            out.push(joint);
        }
    }
}

/// Whether it is digits, perhaps with short units between and after them: `30`, `1m30s`, `0x1f`,
/// the parts of `2026-01-02T03:04:05Z`.
fn is_number(atom: &str) -> bool {
    if !atom.starts_with(char::is_numeric) {
        return false;
    }
    if atom.starts_with("0x") || atom.starts_with("0X") {
        return true;
    }
    atom.split(char::is_numeric).all(|unit| unit.chars().count() <= 3)
}

fn is_id(atom: &str) -> bool {
    let long = atom.len() >= HEX && atom.bytes().all(|byte| byte.is_ascii_hexdigit());
    let random = atom.chars().count() >= RANDOM && atom.contains(char::is_numeric);
    long || random
}

/// How the digits of a UUID are laid out.
const UUID: &[u8] = b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

fn uuid_at(text: &str, at: usize) -> bool {
    let Some(part) = text.as_bytes().get(at..at + UUID.len()) else { return false };
    part.iter().zip(UUID).all(|(byte, layout)| match layout {
        b'-' => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        assert_eq!(masked(text, &[]), expected, "{text}");
    }

    #[test]
    fn what_changes_is_masked_and_the_rest_stays() {
        reads(
            "received 6 times, and it was never finished",
            "received # times, and it was never finished",
        );
        reads("timed out after 1500 ms", "timed out after # ms");
        reads("no answer within 1m30s (30s)", "no answer within # (#)");
        reads(
            "GET https://api.example.com/orders/A17b/items: HTTP 503",
            "GET https://api.example.com/orders/#/items: HTTP #",
        );
        reads("connect to 10.0.0.17:8080: refused", "connect to #: refused");
        reads("at 2026-01-02T03:04:05.678Z it was -17.5%", "at # it was #%");
        reads("order-4711 is not \"paid\" but `open`", "order-# is not \"#\" but `#`");
        reads("can't read order's file", "can't read order's file");
        reads("lock 6ba7b810-9dad-11d1-80b4-00c04fd430c8_3 is held", "lock # is held");
        reads("object 0xdeadBEEF and 5d41402abc4b2a76b9719d911017c592", "object # and #");
        reads("sizes 1, 2, 3 and\n\t4", "sizes # and #");
        reads("E_NO_ROOM: disk full", "E_NO_ROOM: disk full");
        reads("", "");
    }

    #[test]
    fn a_known_id_is_masked_as_a_word_only() {
        assert_eq!(masked("run ask of basket: ask", &["ask"]), "run # of basket: #");
        assert_eq!(masked_id("charge-2"), "charge-2");
        assert_eq!(masked_id("send_6ba7b810-9dad-11d1-80b4-00c04fd430c8_12"), "send_#");
    }

    #[test]
    fn a_long_text_is_read_as_far_as_it_counts() {
        let long = "no ".repeat(100_000);
        assert!(masked(&long, &[]).chars().count() <= KEPT);
        assert_eq!(masked(&"é".repeat(5_000), &[]).chars().count(), KEPT);
    }

    /// Something that changes, of one of the kinds that are masked.
    fn changing() -> impl Strategy<Value = (u8, String)> {
        prop_oneof![
            any::<i64>().prop_map(|number| (0, number.to_string())),
            (any::<i32>(), 0..1000_u32).prop_map(|(whole, part)| (0, format!("{whole}.{part}"))),
            any::<u128>().prop_map(|id| (0, uuid::Uuid::from_u128(id).to_string())),
            "[0-9a-f]{8,40}".prop_map(|id| (0, id)),
            (0..86_400_000_i64).prop_map(|at| {
                (0, crate::engine::Timestamp::from_millis(1_700_000_000_000 + at * 997).to_string())
            }),
            (0..24, 0..60, 0..60).prop_map(|(h, m, s)| (0, format!("{h:02}:{m:02}:{s:02}"))),
            (1..90, 1..60).prop_map(|(m, s)| (0, format!("{m}m{s}s"))),
            any::<[u8; 4]>().prop_map(|ip| (0, std::net::Ipv4Addr::from(ip).to_string())),
            "[^\"\\\\]{0,30}".prop_map(|text| (1, format!("\"{text}\""))),
            "[a-z]{1,4}[0-9]{1,9}".prop_map(|id| (2, format!("/things/{id}/x"))),
        ]
    }

    proptest! {
        #[test]
        fn texts_that_differ_only_in_what_changes_read_the_same(
            before in "[a-z]{3,9}( [a-z]{2,9}){0,4}",
            after in "[a-z]{3,7}( [a-z]{2,7}){0,4}",
            first in changing(),
            second in changing(),
        ) {
            let text = |it: &str| masked(&format!("{before} {it} {after}"), &[]);
            if first.0 == second.0 {
                prop_assert_eq!(text(&first.1), text(&second.1));
            }
        }

        #[test]
        fn words_alone_are_never_masked(text in "[a-z]{1,7}( [a-z]{1,7}){0,9}") {
            prop_assert_eq!(masked(&text, &[]), text);
        }

        #[test]
        fn any_text_can_be_masked(text in "\\PC{0,80}", raw in any::<String>()) {
            prop_assert!(masked(&text, &["x"]).chars().count() <= KEPT);
            prop_assert!(!masked(&raw, &[]).contains(char::is_control));
        }
    }
}

//! Looking for a text in the names and values of a tree.

use super::tree::{Step, ValueTree};

/// The places of the values whose name or text has `query` in it, in order. Capitals and small
/// letters are the same.
pub(in crate::tui) fn matches(tree: &ValueTree, query: &str) -> Vec<usize> {
    let needle = query.to_lowercase();
    if needle.is_empty() {
        return Vec::new();
    }
    (0..tree.len())
        .filter(|at| {
            let named = match tree.step(*at) {
                Step::Name(name) => find(name, &needle).is_some(),
                Step::Index(_) => false,
            };
            named || find(tree.text(*at), &needle).is_some()
        })
        .collect()
}

/// The first place of a text, in small letters already, in another one: its beginning and end.
fn find(text: &str, needle: &str) -> Option<(usize, usize)> {
    let first = needle.chars().next()?;
    if text.is_ascii() {
        if !needle.is_ascii() || needle.len() > text.len() {
            return None;
        }
        let (text, needle) = (text.as_bytes(), needle.as_bytes());
        let [small, capital] =
            [first, first.to_ascii_uppercase()].map(|c| u8::try_from(c).unwrap_or(0));
        let last = text.len() - needle.len();
        let at = (0..=last).find(|at| {
            (text[*at] == small || text[*at] == capital)
                && text[*at..*at + needle.len()].eq_ignore_ascii_case(needle)
        })?;
        return Some((at, at + needle.len()));
    }
    text.char_indices().find_map(|(at, _)| {
        let mut wanted = needle.chars().peekable();
        for (offset, c) in text[at..].char_indices() {
            for small in c.to_lowercase() {
                if wanted.next() != Some(small) {
                    return None;
                }
            }
            if wanted.peek().is_none() {
                return Some((at, at + offset + c.len_utf8()));
            }
        }
        None
    })
}

/// Where `query` is in a text for the first time: the place where it begins.
pub(in crate::tui) fn first(text: &str, query: &str) -> Option<usize> {
    find(text, &query.to_lowercase()).map(|(start, _)| start)
}

/// A text in pieces: those where `query` was found, and those between them. For texts that fit into
/// a line.
pub(in crate::tui) fn split<'a>(text: &'a str, query: &str) -> Vec<(&'a str, bool)> {
    let needle = query.to_lowercase();
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = find(rest, &needle) {
        if start > 0 {
            pieces.push((&rest[..start], false));
        }
        pieces.push((&rest[start..end], true));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        pieces.push((rest, false));
    }
    pieces
}

//! Text from outside, made fit for a terminal cell; and the short forms of times and numbers.

use std::{borrow::Cow, time::Duration};

use unicode_width::UnicodeWidthChar;

/// How many zero-width marks one character may carry.
const MARKS: usize = 2;

/// Makes a text harmless and cuts it to `width` cells, with an ellipsis where it was cut.
///
/// Control characters (escape sequences begin with one) show as symbols, line breaks as `⏎`.
/// Characters that reorder, join or hide others are dropped, and no character keeps more than two
/// combining marks, so that what is drawn is as wide as we think.
pub(crate) fn fit(text: &str, width: usize) -> Cow<'_, str> {
    if text.len() <= width && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut used = 0;
    // Where the ellipsis would go.
    let mut cut = 0;
    for piece in pieces(text) {
        if used + piece.width > width {
            out.truncate(cut);
            if width > 0 {
                out.push('…');
            }
            return Cow::Owned(out);
        }
        used += piece.width;
        out.push(piece.base);
        out.extend(&piece.marks[..piece.marked]);
        if used < width {
            cut = out.len();
        }
    }
    Cow::Owned(out)
}

/// Makes a text harmless and cuts it to `width` cells at its beginning: for paths, whose end says
/// more.
pub(crate) fn fit_end(text: &str, width: usize) -> String {
    let whole = clean(text);
    let mut left = pieces(&whole).map(|piece| piece.width).sum::<usize>();
    if left <= width {
        return whole.into_owned();
    }
    let mut rest = whole.chars();
    while left + 1 > width {
        match rest.next() {
            Some(c) => left -= c.width().unwrap_or(0),
            None => break,
        }
    }
    if width == 0 { String::new() } else { format!("…{}", rest.as_str()) }
}

/// Makes a text harmless and cuts it to `width` cells in its middle: for ids, which often differ in
/// their last letters only.
pub(crate) fn fit_middle(text: &str, width: usize) -> Cow<'_, str> {
    let whole = clean(text);
    let all = self::width(&whole);
    if all <= width || width < 8 {
        return fit(text, width);
    }
    let last = width / 3;
    let end = fit_end(&whole, last + 1);
    let begin = fit(&whole, width - self::width(&end) + 1);
    let begin = begin.strip_suffix('…').unwrap_or(&begin);
    Cow::Owned(format!("{begin}{end}"))
}

/// A harmless text without its first cells; a wide character that is cut in two leaves a space.
pub(crate) fn without_first(text: &str, cells: usize) -> Cow<'_, str> {
    if cells == 0 {
        return Cow::Borrowed(text);
    }
    let mut skipped = 0;
    for (at, c) in text.char_indices() {
        let width = c.width().unwrap_or(0);
        // Marks go with the character that they are on.
        if skipped >= cells && width > 0 {
            return Cow::Owned(format!("{}{}", " ".repeat(skipped - cells), &text[at..]));
        }
        skipped += width;
    }
    Cow::Owned(" ".repeat(skipped.saturating_sub(cells)))
}

/// Makes a text harmless without cutting it.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    fit(text, usize::MAX)
}

/// How many cells a text takes once it is harmless.
pub(crate) fn width(text: &str) -> usize {
    pieces(text).map(|piece| piece.width).sum()
}

/// A text's lines, broken so that none is wider than `width` cells, at most `limit` of them.
pub(crate) fn wrap(text: &str, width: usize, limit: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if width == 0 {
        return lines;
    }
    for source in text.lines() {
        let mut line = String::new();
        let mut used = 0;
        // The place after the last space, where a line is best broken, and the width up to there.
        let mut space = None;
        for piece in pieces(source) {
            if used + piece.width > width {
                let rest = match space.take() {
                    Some((at, before)) if piece.base != ' ' => {
                        used -= before;
                        line.split_off(at)
                    }
                    _ => {
                        used = 0;
                        String::new()
                    }
                };
                lines.push(std::mem::replace(&mut line, rest));
                if lines.len() >= limit {
                    return lines;
                }
            }
            used += piece.width;
            line.push(piece.base);
            line.extend(&piece.marks[..piece.marked]);
            if piece.base == ' ' {
                space = Some((line.len(), used));
            }
        }
        lines.push(line);
        if lines.len() >= limit {
            return lines;
        }
    }
    lines
}

/// One character with the marks on it.
struct Piece {
    base: char,
    marks: [char; MARKS],
    marked: usize,
    width: usize,
}

/// The harmless characters of a text.
fn pieces(text: &str) -> impl Iterator<Item = Piece> + '_ {
    let mut chars = text.chars().filter(|c| !is_dropped(*c)).peekable();
    std::iter::from_fn(move || {
        let base = loop {
            let base = visible(chars.next()?);
            // A mark with nothing to sit on.
            if base.width().unwrap_or(0) > 0 {
                break base;
            }
        };
        let mut piece =
            Piece { base, marks: ['\0'; MARKS], marked: 0, width: base.width().unwrap_or(1) };
        while let Some(mark) = chars.next_if(|c| !c.is_control() && c.width() == Some(0)) {
            if piece.marked < MARKS {
                piece.marks[piece.marked] = mark;
                piece.marked += 1;
            }
        }
        Some(piece)
    })
}

/// Characters without a shape that change how others are drawn: direction, joining, variants, tags.
fn is_dropped(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// A control character as a symbol; any other as it is.
fn visible(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\t' | '\r' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('·'),
        '\u{7f}' => '␡',
        c if c.is_control() => '·',
        c => c,
    }
}

/// A duration in at most four or five characters: `340ms`, `12s`, `5m03`, `2h14`, `3d4h`.
pub(crate) fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.subsec_millis() > 0 => format!("{}ms", duration.subsec_millis()),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", (seconds / 86_400).min(9_999), seconds % 86_400 / 3_600),
    }
}

/// A duration that goes on: seconds in the first minute, minutes in the first day, so that what is
/// shown for long changes seldom: `12s`, `5m`, `2h14`, `3d4h`.
pub(crate) fn whole_age(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds => age(Duration::from_secs(seconds)),
    }
}

/// A size: `340 bytes`, `12 KiB`, `1.9 MiB`.
pub(crate) fn bytes(size: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match size {
        1 => "1 byte".to_owned(),
        0..KIB => format!("{size} bytes"),
        KIB..MIB => format!("{} KiB", size / KIB),
        _ => format!("{}.{} MiB", size / MIB, size % MIB * 10 / MIB),
    }
}

/// A number of things: `1 run`, `3 runs`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A number in at most five characters: `99999`, `123k`, `12M`.
pub(crate) fn short(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        100_000..10_000_000 => format!("{}k", number / 1_000),
        10_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_never_stay_what_they_are() {
        let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\r\nnext\u{202e}drow";
        let cleaned = clean(hostile);
        assert!(cleaned.chars().all(|c| !c.is_control()), "{cleaned:?}");
        assert_eq!(cleaned, "␛[2J␛]0;owned␇·31m␡ ⏎nextdrow");
    }

    #[test]
    fn a_text_is_cut_to_cells_not_to_characters() {
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("too long", 5), "too …");
        assert_eq!(fit("日本語テキスト", 7), "日本語…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日", 1), "…");
        assert_eq!(fit("anything", 0), "");
    }

    #[test]
    fn an_id_is_cut_in_its_middle() {
        assert_eq!(fit_middle("mail-invoice_a8248050-17", 24), "mail-invoice_a8248050-17");
        assert_eq!(fit_middle("mail-invoice_a8248050-17", 18), "mail-invoic…050-17");
        assert_eq!(fit_middle("日本語の名前はとても長い", 12), "日本語…長い");
        assert_eq!(fit_middle("abcdefghij", 6), "abcde…");
        for width in 0..30 {
            let fitted = fit_middle("ab日本\u{301}cd\u{1b}efghijklm日本", width);
            assert!(self::width(&fitted) <= width, "{fitted} in {width}");
        }
    }

    #[test]
    fn the_first_cells_of_a_text_can_be_left_out() {
        assert_eq!(without_first("abc", 0), "abc");
        assert_eq!(without_first("abc", 2), "c");
        assert_eq!(without_first("abc", 9), "");
        assert_eq!(without_first("日本", 2), "本");
        assert_eq!(without_first("日本", 1), " 本", "the other half of it");
        assert_eq!(without_first("e\u{301}x", 1), "x");
    }

    #[test]
    fn a_path_is_cut_at_its_beginning() {
        assert_eq!(fit_end("/var/lib/demo.db", 20), "/var/lib/demo.db");
        assert_eq!(fit_end("/var/lib/demo.db", 8), "…demo.db");
        assert_eq!(fit_end("日本語", 4), "…語");
        assert_eq!([fit_end("demo", 1), fit_end("demo", 0)], ["…", ""]);
    }

    #[test]
    fn a_character_keeps_two_marks_and_marks_alone_are_dropped() {
        let zalgo: String =
            std::iter::once('e').chain(std::iter::repeat_n('\u{301}', 50)).collect();
        assert_eq!(clean(&zalgo).chars().count(), 3);
        assert_eq!(clean("\u{301}x"), "x");
        assert_eq!(width("👩‍👩‍👧"), 6, "joined emoji stand side by side");
    }

    #[test]
    fn lines_break_at_spaces_and_inside_words_that_are_too_long() {
        assert_eq!(wrap("one two three", 8, 9), ["one two ", "three"]);
        assert_eq!(wrap("abcdefghij", 4, 9), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\nb\nc", 4, 2), ["a", "b"]);
        assert_eq!(wrap("日本語", 3, 9), ["日", "本", "語"]);
        assert_eq!(wrap("日本", 1, 9).concat(), "日本", "nothing is lost, even where nothing fits");
    }

    #[test]
    fn ages_are_short() {
        let of = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(age(Duration::from_millis(340)), "340ms");
        assert_eq!([of(0), of(59), of(303), of(8_040)], ["0s", "59s", "5m03", "2h14"]);
        assert_eq!(of(3 * 86_400 + 4 * 3_600), "3d4h");
        let going_on = |seconds| whole_age(Duration::from_secs(seconds));
        assert_eq!([59, 60, 3_599, 8_040].map(going_on), ["59s", "1m", "59m", "2h14"]);
        assert_eq!(whole_age(Duration::from_millis(340)), "0s");
    }
}

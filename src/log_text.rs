//! What a log event says, as one line of text.

use std::fmt::{self, Write as _};

use tracing::{
    Event,
    field::{Field, Visit},
};

/// The event's message first, then its other fields by name.
pub(crate) fn log_text(event: &Event<'_>) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    fields.message.push_str(&fields.rest);
    fields.message
}

/// The text, without what is beyond so many bytes, and without spare memory: it will be kept.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text.shrink_to_fit();
    text
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String can't fail.
        let _ = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            write!(self.rest, " {}={value}", field.name())
        };
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(cut("aéb".to_owned(), 4), "aéb");
        assert_eq!(cut("aéb".to_owned(), 3), "aé…");
        assert_eq!(cut("aéb".to_owned(), 2), "a…");
    }
}

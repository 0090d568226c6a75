//! A command of this program as a line for a shell, which takes every word as it is meant.

/// `flowcraft-tui VERB RUN OPTIONS`, for whatever id and values.
pub(super) fn on_run(verb: &str, run: &str, options: &[(&str, &str)]) -> String {
    let options: String = options.iter().map(|(name, value)| option(name, value)).collect();
    if run.starts_with('-') {
        // Behind `--` nothing is taken for an option.
        format!("flowcraft-tui {verb}{options} -- {}", word(run))
    } else {
        format!("flowcraft-tui {verb} {}{options}", word(run))
    }
}

/// ` --name value`.
pub(super) fn option(name: &str, value: &str) -> String {
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {name}{between}{}", word(value))
}

/// A text as one word.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_taken_as_it_is_meant() {
        let of = |run: &str, node: &str| on_run("requeue", run, &[("--node", node)]);
        assert_eq!(of("order-1", "pay"), "flowcraft-tui requeue order-1 --node pay");
        assert_eq!(of("a b", "it's"), r"flowcraft-tui requeue 'a b' --node 'it'\''s'");
        assert_eq!(of("r", "$(rm x)"), "flowcraft-tui requeue r --node '$(rm x)'");
        assert_eq!(of("-w", "-n"), "flowcraft-tui requeue --node=-n -- -w");
        assert_eq!(
            on_run("resume", "r", &[("--action", "a|b")]),
            "flowcraft-tui resume r --action 'a|b'"
        );
    }
}

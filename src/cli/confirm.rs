//! Asks before something is changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::{args::Consent, exit::CliError, text::sanitize};

/// What is to become of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is made.
    Apply,
    /// It is only shown.
    ShowOnly,
    /// It is not made: the user said no.
    Refuse,
}

/// Who could answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Terminal,
    Nobody,
}

/// Decides about a change to `runs` runs. Asks on a terminal; without one, a change to more than
/// one run needs `--yes` and fails as bad usage if it is not there.
///
/// `question` is a sentence such as `Cancel 3 runs?`; it may hold text from outside.
pub async fn confirm(question: &str, runs: usize, consent: Consent) -> Result<Decision, CliError> {
    let audience = if somebody_is_there() { Audience::Terminal } else { Audience::Nobody };
    if let Some(decision) = decide(runs, consent, audience)? {
        return Ok(decision);
    }
    let question = sanitize(question).into_owned();
    tokio::task::spawn_blocking(move || ask(&question))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map(|answer| understand(&answer))
        .map_err(|error| CliError::failed("can't read the answer").because(error))
}

/// Whether there is somebody who can read a question and answer it.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What is clear without a question.
fn decide(runs: usize, consent: Consent, audience: Audience) -> Result<Option<Decision>, CliError> {
    match (consent, audience) {
        (Consent::DryRun, _) => Ok(Some(Decision::ShowOnly)),
        (Consent::Given, _) => Ok(Some(Decision::Apply)),
        (Consent::Ask, Audience::Terminal) => Ok(None),
        (Consent::Ask, Audience::Nobody) if runs <= 1 => Ok(Some(Decision::Apply)),
        (Consent::Ask, Audience::Nobody) => Err(CliError::usage(format!(
            "this would change {runs} runs, and there is no terminal to ask on"
        ))
        .hint("add --yes to do it, or --dry-run to see the plan")),
    }
}

fn ask(question: &str) -> io::Result<String> {
    let mut stderr = io::stderr();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

/// Only a clear yes is one.
fn understand(answer: &str) -> Decision {
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Decision::Apply,
        _ => Decision::Refuse,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[test]
    fn flags_decide_before_anybody_is_asked() {
        for audience in [Audience::Terminal, Audience::Nobody] {
            for (consent, decision) in
                [(Consent::DryRun, Decision::ShowOnly), (Consent::Given, Decision::Apply)]
            {
                assert_eq!(decide(9, consent, audience).unwrap(), Some(decision));
            }
        }
    }

    #[test]
    fn without_a_terminal_only_one_run_may_change_unasked() {
        let one = decide(1, Consent::Ask, Audience::Nobody).unwrap();
        assert_eq!(one, Some(Decision::Apply));
        let error = decide(2, Consent::Ask, Audience::Nobody).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.to_string().contains("--yes"), "{error}");
        assert_eq!(decide(1, Consent::Ask, Audience::Terminal).unwrap(), None);
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        for answer in ["y\n", " YES \r\n"] {
            assert_eq!(understand(answer), Decision::Apply);
        }
        for answer in ["", "\n", "n", "yep", "ye s"] {
            assert_eq!(understand(answer), Decision::Refuse);
        }
    }
}

//! Connection strings of Azure's form: `Name=value;Name=value`.

/// A connection string that can't be used. The text never holds any part of the string's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct BadConnectionString {
    /// The variable that holds it, such as `AZURE_STORAGE_CONNECTION_STRING`.
    pub variable: &'static str,
    /// What is wrong with it, and what to do about it.
    pub problem: String,
}

impl BadConnectionString {
    /// Says what is wrong with the value of a variable.
    pub(super) fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

/// The members of a connection string. Names are told apart without regard to case.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Members {
    variable: &'static str,
    members: Vec<(String, String)>,
}

impl Members {
    /// Splits a connection string into its members, of which only the `known` ones may be there.
    pub(super) fn parse(
        variable: &'static str,
        text: &str,
        known: &[&str],
    ) -> Result<Self, BadConnectionString> {
        let mut members: Vec<(String, String)> = Vec::new();
        for (place, member) in text.split(';').map(str::trim).enumerate() {
            if member.is_empty() {
                continue;
            }
            let place = place + 1;
            // A value may itself hold `=`: keys are base64, signatures have several members.
            let Some((name, value)) = member.split_once('=') else {
                let problem =
                    format!("has a part without \"=\" (part {place}): it must be Name=value");
                return Err(BadConnectionString::new(variable, problem));
            };
            let name = name.trim();
            let Some(known_name) = known.iter().find(|known| known.eq_ignore_ascii_case(name))
            else {
                let problem = format!(
                    "has an unknown member (part {place}): the known ones are {}",
                    known.join(", ")
                );
                return Err(BadConnectionString::new(variable, problem));
            };
            if members.iter().any(|(other, _)| other == known_name) {
                let problem = format!("has {known_name} twice");
                return Err(BadConnectionString::new(variable, problem));
            }
            members.push(((*known_name).to_owned(), value.trim().to_owned()));
        }
        if members.is_empty() {
            return Err(BadConnectionString::new(variable, "is empty"));
        }
        Ok(Self { variable, members })
    }

    /// A member's value, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.members.iter().find(|(known, _)| known == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A member that must be there.
    pub(super) fn require(&self, name: &str) -> Result<&str, BadConnectionString> {
        self.get(name).ok_or_else(|| self.bad(format!("lacks {name}")))
    }

    /// Says what is wrong with this connection string.
    pub(super) fn bad(&self, problem: impl Into<String>) -> BadConnectionString {
        BadConnectionString::new(self.variable, problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Members, BadConnectionString> {
        Members::parse("X", text, &["AccountName", "AccountKey"])
    }

    #[test]
    fn members_are_found_by_name_and_values_may_hold_equals_signs() {
        let members = parse("accountname = shop ;ACCOUNTKEY=a2V5==;").expect("valid");
        assert_eq!(members.get("AccountName"), Some("shop"));
        assert_eq!(members.get("AccountKey"), Some("a2V5=="));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_values() {
        let cases = [
            ("", "X is empty"),
            ("c2VjcmV0", "X has a part without \"=\" (part 1): it must be Name=value"),
            (
                "AccountName=a;Pass=c2VjcmV0",
                "X has an unknown member (part 2): the known ones are AccountName, AccountKey",
            ),
            ("AccountKey=c2VjcmV0;AccountKey=c2VjcmV0", "X has AccountKey twice"),
        ];
        for (text, message) in cases {
            let error = parse(text).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(message));
        }
        let lacks =
            parse("AccountName=;").expect("valid").require("AccountName").map(str::to_owned);
        assert_eq!(lacks.map_err(|error| error.to_string()), Err("X lacks AccountName".to_owned()));
    }
}

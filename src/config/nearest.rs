//! "Did you mean": the known name that an unknown one was probably meant to be.

/// How alike two names must be (0 to 1) for one to be offered for the other.
const ALIKE: f64 = 0.5;

/// The known name nearest to `name`, if any is near.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (likeness(&name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// How alike two names are, 0 to 1. A beginning that was not finished is very much alike.
fn likeness(name: &str, candidate: &str) -> f64 {
    if name.len() > 2 && candidate.starts_with(name) {
        return 0.9;
    }
    strsim::normalized_damerau_levenshtein(name, candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_the_nearest_and_only_a_near_one() {
        let known = ["slots", "name", "lease_seconds"];
        assert_eq!(nearest("slot", known), Some("slots"));
        assert_eq!(nearest("Slots", known), Some("slots"));
        assert_eq!(nearest("lease", known), Some("lease_seconds"));
        assert_eq!(nearest("lease_second", known), Some("lease_seconds"));
        assert_eq!(nearest("colour", known), None);
    }
}

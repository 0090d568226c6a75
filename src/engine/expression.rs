//! Conditions and transforms: dotted paths over the names that a run shows.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::{document::RunDocument, names};

/// A value that may be undefined, which is not the same as null.
pub(crate) type Maybe<'a> = Option<Cow<'a, Value>>;

/// Whether the text can be evaluated at all; what can't is undefined.
pub fn is_expression(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.'))
}

/// The result that a condition may look at as `result`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ResultNames<'a> {
    /// The output just produced.
    pub(crate) output: Option<&'a Value>,
    /// The action just returned.
    pub(crate) action: Option<&'a str>,
}

/// Evaluates an edge's condition. Names: `result`, and everything of the run.
pub(crate) fn condition(expression: &str, result: ResultNames<'_>, document: &RunDocument) -> bool {
    let Some((first, rest)) = split(expression) else { return false };
    if first != "result" {
        return is_true(path(names::lookup(document, first).map(Cow::Borrowed), rest).as_deref());
    }
    let Some((member, rest)) = rest.and_then(split_first) else {
        // The result itself is an object, and so true.
        return true;
    };
    match member {
        "output" => is_true(path(result.output.map(Cow::Borrowed), rest).as_deref()),
        "action" => {
            let action = result.action.map(|action| Cow::Owned(Value::from(action)));
            is_true(path(action, rest).as_deref())
        }
        _ => false,
    }
}

/// Evaluates a loop's condition. Names: everything of the run.
pub(crate) fn loop_condition(expression: &str, document: &RunDocument) -> bool {
    let Some((first, rest)) = split(expression) else { return false };
    is_true(path(names::lookup(document, first).map(Cow::Borrowed), rest).as_deref())
}

/// Evaluates an edge's transform. Names: `input` and `context`.
pub(crate) fn transform<'a>(
    expression: &str,
    input: Option<&'a Value>,
    document: &'a RunDocument,
) -> Maybe<'a> {
    let (first, rest) = split(expression)?;
    match first {
        "input" => path(input.map(Cow::Borrowed), rest),
        "context" => match rest.and_then(split_first) {
            None => Some(Cow::Owned(Value::Object(names::in_process(document)))),
            Some((name, rest)) => path(names::lookup(document, name).map(Cow::Borrowed), rest),
        },
        _ => None,
    }
}

/// Reads members of a value, one part of the path after the other.
pub(crate) fn path<'a>(value: Maybe<'a>, rest: Option<&str>) -> Maybe<'a> {
    let mut value = value?;
    let Some(rest) = rest else { return Some(value) };
    for name in rest.split('.') {
        value = match value {
            Cow::Borrowed(value) => member(value, name)?,
            Cow::Owned(value) => Cow::Owned(member(&value, name)?.into_owned()),
        };
    }
    Some(value)
}

/// A member of a value, as JavaScript reads it, without inherited members.
fn member<'a>(value: &'a Value, name: &str) -> Maybe<'a> {
    match value {
        Value::Object(members) => members.get(name).map(Cow::Borrowed),
        Value::Array(items) if name == "length" => Some(Cow::Owned(count(items.len()))),
        Value::Array(items) => items.get(index(name)?).map(Cow::Borrowed),
        Value::String(text) if name == "length" => {
            Some(Cow::Owned(count(text.encode_utf16().count())))
        }
        Value::String(text) => {
            let unit = text.encode_utf16().nth(index(name)?)?;
            Some(Cow::Owned(Value::from(String::from_utf16_lossy(&[unit]))))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn count(number: usize) -> Value {
    Value::Number(Number::from(number))
}

/// An array index in its only spelling: no sign, no leading zeros.
fn index(name: &str) -> Option<usize> {
    let index: usize = name.parse().ok()?;
    (index.to_string() == name).then_some(index)
}

/// Truth as in JavaScript.
pub(crate) fn is_true(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(truth)) => *truth,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(_) | Value::Object(_)) => true,
    }
}

/// The first name of an expression and what follows its dot; nothing if it can't be evaluated.
fn split(expression: &str) -> Option<(&str, Option<&str>)> {
    if is_expression(expression) { split_first(expression) } else { None }
}

// `Option` keeps the calls on optional rests short.
#[allow(clippy::unnecessary_wraps)]
fn split_first(text: &str) -> Option<(&str, Option<&str>)> {
    Some(match text.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::engine::testing::document_with;

    fn eval(expression: &str) -> Option<Value> {
        let document = document_with(&[
            ("flag", json!(true)),
            ("_outputs.a", json!({"list": [1, {"k": "v"}], "text": "hé😀", "": 5, "n": null})),
            ("a", json!("hidden")),
            ("dotted.key", json!(1)),
        ]);
        let input = json!({"x": {"y": [10, 20]}});
        transform(expression, Some(&input), &document).map(Cow::into_owned)
    }

    #[test]
    fn paths_read_members_as_javascript_does() {
        assert_eq!(eval("input.x.y.1"), Some(json!(20)));
        assert_eq!(eval("input.x.y.length"), Some(json!(2)));
        assert_eq!(eval("input.x.y.01"), None);
        assert_eq!(eval("input.x.y.-1"), None);
        assert_eq!(eval("context.a.list.1.k"), Some(json!("v")));
        assert_eq!(eval("context.a.text.length"), Some(json!(4)));
        assert_eq!(eval("context.a.text.1"), Some(json!("é")));
        assert_eq!(eval("context.a."), Some(json!(5)), "an empty part reads the member named ''");
        assert_eq!(eval("context.a.n.deeper"), None);
        assert_eq!(eval("context.a.n"), Some(Value::Null));
        assert_eq!(eval("context.flag"), Some(json!(true)));
        assert_eq!(eval("context.dotted.key"), None);
        assert_eq!(eval("context.a.constructor"), None);
        assert_eq!(eval("flag"), None, "transforms see only input and context");
    }

    #[test]
    fn odd_characters_make_an_expression_undefined() {
        for text in ["", "a b", "a-b", "!a", "a[0]", "a\n", "ä", "a;b", "${a}", "a==1"] {
            assert!(!is_expression(text), "{text:?}");
            assert_eq!(eval(text), None, "{text:?}");
            assert!(!condition(text, ResultNames::default(), &document_with(&[("a", json!(1))])));
        }
        assert!(is_expression("$a._b.3"));
    }

    #[test]
    fn conditions_see_the_result_and_the_names_of_the_run() {
        let document = document_with(&[("_outputs.a", json!({"ok": true})), ("result", json!(0))]);
        let output = json!({"lt": true, "ge": false});
        let result = ResultNames { output: Some(&output), action: Some("go") };
        assert!(condition("result.output.lt", result, &document));
        assert!(!condition("result.output.ge", result, &document));
        assert!(condition("result.action", result, &document));
        assert!(condition("result.action.length", result, &document));
        assert!(condition("result", result, &document));
        assert!(!condition("result.error", result, &document));
        assert!(condition("a.ok", result, &document));
        assert!(!condition("_outputs.a", result, &document));
        assert!(!condition("input", result, &document));
        assert!(!loop_condition("result.output", &document));
    }

    #[test]
    fn truth_is_javascripts() {
        for value in [json!(false), json!(0), json!(0.0), json!(-0.0), json!(""), json!(null)] {
            assert!(!is_true(Some(&value)), "{value}");
        }
        for value in [json!(true), json!(1), json!("0"), json!("false"), json!([]), json!({})] {
            assert!(is_true(Some(&value)), "{value}");
        }
        assert!(!is_true(None));
    }

    #[test]
    fn the_whole_context_has_outputs_under_their_bare_ids() {
        let whole = eval("context").unwrap();
        assert_eq!(whole["a"]["list"][0], json!(1));
        assert_eq!(whole["_outputs.a"]["list"][0], json!(1));
        assert_eq!(whole["flag"], json!(true));
    }
}

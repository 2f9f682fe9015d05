//! Tests of the parser: against `serde_json` on JSON, against tables on the extensions of Json.NET, and on arbitrary text.

use proptest::prelude::*;
use serde_json::json;

use super::{MAX_DEPTH, MAX_VALUES, Value, read};

/// The same value for `serde_json`, in which the last of equal names also wins.
fn to_serde(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Number(number) => serde_json::from_str(number).unwrap(),
        Value::String(text) => text.clone().into(),
        Value::Array(items) => items.iter().map(to_serde).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), to_serde(value))).collect(),
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 128, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<serde_json::Value>()),
        ]
    })
}

/// Text close enough to JSON to reach every part of the parser.
fn jumble() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "'",
        "\\",
        "\\u",
        "d83d",
        "de00",
        "//",
        "/*",
        "*/",
        "null",
        "NaN",
        "-",
        ".",
        "e",
        "0",
        "17",
        " ",
        "\n",
        "\0",
        "\u{201C}",
        "\u{201D}",
        "\u{2019}",
        "name",
        "$",
        "\u{1F600}",
    ]);
    prop::collection::vec(token, 0..64).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn json_keeps_its_meaning(value in any_json()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(to_serde(&read(&text).unwrap()), expected);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), jumble in jumble()) {
        let _ = read(&text);
        let _ = read(&jumble);
    }

    #[test]
    fn what_serde_json_accepts_has_the_same_value(text in jumble()) {
        if let Ok(expected) = serde_json::from_str::<serde_json::Value>(&text) {
            prop_assert_eq!(to_serde(&read(&text).unwrap()), expected);
        }
    }
}

#[test]
fn the_extensions_of_json_net_are_accepted() {
    let table = [
        ("comment in an object", "{ /* why */ \"a\": // what\n 1 }", json!({"a": 1})),
        ("comment around the value", "// first\r[1] /* last */", json!([1])),
        ("single quotes", "{'a': 'it is \"so\"'}", json!({"a": "it is \"so\""})),
        ("escaped single quote", "'it\\'s'", json!("it's")),
        ("unquoted names", "{a: 1, $b_2: 2}", json!({"a": 1, "$b_2": 2})),
        ("comma after the last member", "{\"a\": [1, 2,],}", json!({"a": [1, 2]})),
        ("typographic quotes", "[{“Request Reason”:”Need VPN Certs”}]", json!([{"Request Reason": "Need VPN Certs"}])),
        ("typographic quotes inside plain ones", "\"Bob’s “card”\"", json!("Bob’s “card”")),
        ("apostrophe inside typographic quotes", "“Bob’s”", json!("Bob’s")),
        ("typographic single quotes", "{‘a’:‘b’}", json!({"a": "b"})),
        ("line break in a string", "\"a\nb\"", json!("a\nb")),
        ("NUL between tokens", "[1]\0\0", json!([1])),
        ("no-break space between tokens", "[\u{a0}1]", json!([1])),
        ("undefined", "[undefined]", json!([null])),
        ("surrogate pair", "\"\\uD83D\\uDE00\"", json!("\u{1F600}")),
        ("lone surrogates", "\"\\uD83D\\uD83Dx\\uDE00\"", json!("\u{FFFD}\u{FFFD}x\u{FFFD}")),
        ("surrogate before another escape", "\"\\uD83D\\n\"", json!("\u{FFFD}\n")),
    ];
    for (form, text, expected) in table {
        assert_eq!(read(text).map(|value| to_serde(&value)), Ok(expected), "{form}");
    }
    for number in [".5", "5.", "-.5e3", "NaN", "Infinity", "-Infinity"] {
        assert_eq!(read(number), Ok(Value::Number(number.to_owned())));
    }
}

#[test]
fn syntax_errors_have_a_position() {
    let table = [
        ("", "a value is missing at line 1, column 1"),
        ("{\"a\" 1}", "a colon is missing at line 1, column 6"),
        ("[1\n 2]", "a comma or ] is missing at line 2, column 2"),
        ("[1,,2]", "an unexpected token at line 1, column 4"),
        ("{,}", "a name is missing at line 1, column 2"),
        ("\"a", "an unterminated string at line 1, column 3"),
        ("/* a", "an unterminated comment at line 1, column 5"),
        ("\"\\x\"", "an unknown escape at line 1, column 4"),
        ("\"\\u12g4\"", "an escape without four hexadecimal digits at line 1, column 7"),
        ("01", "an invalid number at line 1, column 3"),
        ("1e", "an invalid number at line 1, column 3"),
        (".", "an invalid number at line 1, column 2"),
        ("True", "an unexpected token at line 1, column 5"),
        ("[] []", "more than one value at line 1, column 4"),
        ("\u{1F600}", "an unexpected token at line 1, column 1"),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).map_err(|error| error.to_string()), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn depth_and_size_have_their_limits() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(read(&nested(MAX_DEPTH + 1)).is_err());
    assert!(read(&"[".repeat(1 << 20)).is_err());
    assert!(read(&"{a:".repeat(1 << 20)).is_err());

    let array = |items: usize| format!("[{}]", "0,".repeat(items));
    assert!(read(&array(MAX_VALUES - 1)).is_ok());
    assert!(read(&array(MAX_VALUES)).is_err());
}

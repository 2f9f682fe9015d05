//! What is refused at any depth, and that everything else is read as it is.

use proptest::prelude::any;
use proptest::strategy::Strategy;
use proptest::{prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value, json};

use super::{Flaw, MAX_DEPTH, object};

#[test]
fn each_flaw_is_found_at_any_depth() {
    for (json, flaw) in [
        ("", Flaw::Syntax),
        ("1", Flaw::Syntax),
        ("[]", Flaw::Syntax),
        ("null", Flaw::Syntax),
        ("{} {}", Flaw::Syntax),
        ("{}x", Flaw::Syntax),
        ("\u{feff}{}", Flaw::Syntax),
        (r#"{"a":1,}"#, Flaw::Syntax),
        (r#"{"a":"\ud800"}"#, Flaw::Syntax),
        (r#"{"a":1e999}"#, Flaw::Syntax),
        (r#"{"a":NaN}"#, Flaw::Syntax),
        ("{\"a\":\"\0\"}", Flaw::Syntax),
        (r#"{"a":1,"a":1}"#, Flaw::Duplicate),
        (r#"{"a":1,"\u0061":2}"#, Flaw::Duplicate),
        (r#"{"a":[{"b":{"c":1,"c":1}}]}"#, Flaw::Duplicate),
        (r#"{"a":"\u0000"}"#, Flaw::Nul),
        (r#"{"\u0000":1}"#, Flaw::Nul),
        (r#"{"a":[[{"b":"x\u0000"}]]}"#, Flaw::Nul),
    ] {
        assert_eq!(object(json.as_bytes()), Err(flaw), "{json}");
    }
    assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Flaw::Syntax));
}

#[test]
fn depth_is_bounded_in_objects_and_arrays() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{{\"a\":{}0{}}}", open.repeat(levels - 1), close.repeat(levels - 1))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        assert!(object(nested(MAX_DEPTH, open, close).as_bytes()).is_ok());
        for levels in [MAX_DEPTH + 1, 10_000] {
            assert_eq!(object(nested(levels, open, close).as_bytes()), Err(Flaw::Depth), "{levels} levels");
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[^\0]{0,8}".prop_map(Value::from),
        any::<()>().prop_map(|()| Value::Null),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]{1,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn other_objects_are_read_as_every_parser_reads_them(inner in value()) {
        let whole = json!({"a": inner});
        prop_assert_eq!(object(whole.to_string().as_bytes()).map(Value::Object), Ok(whole));
    }
}

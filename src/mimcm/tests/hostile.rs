//! Malformed and malicious bodies: each gets an answer, and none a 5xx.

use proptest::prelude::*;

use super::Facade;
use super::changes::UNKNOWN;

/// Bodies written by hand, and every prefix of a valid one.
fn corpus() -> Vec<Vec<u8>> {
    let good = include_str!("golden/create-3.json");
    let in_member = |name: &str, value: &str| format!("{{\"type\":\"Enroll\",\"{name}\":{value}}}");
    let odd_values = [
        "\"\\uD800\"",
        "\"\\u0000\"",
        "\"\0\"",
        "1e400",
        "-0",
        "-",
        ".",
        "1e",
        "0x10",
        "010",
        "NaN",
        "-Infinity",
        "99999999999999999999999999",
        "[[[[[[]]]]]]",
        "{\"a\":{\"a\":{}}}",
        "[null]",
        "[[]]",
        "[{\"\":\"\"}]",
        "\"[\"",
        "\"[{\"",
        "\"\\\"[]\\\"\"",
        "\"{}\"",
        "[{\"name\":{},\"value\":{}}]",
        "[{\"a\":1,\"A\":2}]",
        "{\"$values\":[{\"$ref\":\"1\"}]}",
        "{\"$value\":{\"$values\":{\"$value\":[{}]}}}",
        "[{\"$id\":1,\"$ref\":1},{\"$ref\":{}},{\"$values\":1,\"a\":2}]",
        "true",
        "\"\\x41\"",
        "\"\\u12\"",
        "undefined",
        "new Date(0)",
        "'",
        "“",
        "/*",
        "//",
        "\"{\\\"$type\\\":\\\"System.Object\\\"}\"",
        "\"'; drop table request; --\"",
        "\"\u{202E}\u{FEFF}\"",
        "\"%00\"",
        "\"${jndi:ldap://a}\"",
    ];
    let mut bodies: Vec<Vec<u8>> = (0..good.len()).map(|length| good.as_bytes()[..length].to_vec()).collect();
    for name in
        ["type", "profiletemplateuuid", "datacollection", "target", "comment", "priority", "smartcard", "profile"]
    {
        bodies.extend(odd_values.iter().map(|value| in_member(name, value).into_bytes()));
        bodies.push(in_member(name, &format!("\"{}\"", "x".repeat(100_000))).into_bytes());
        bodies.push(in_member(name, &"[".repeat(100_000)).into_bytes());
    }
    bodies.extend([
        b"\xFF\xFE".to_vec(),
        b"\xFE\xFF\xD8".to_vec(),
        b"\xFF\xFE\x00\xD8".to_vec(),
        b"\xEF\xBB\xBF".to_vec(),
        b"\xC0\x80".to_vec(),
        b"\xF8\x88\x80\x80\x80".to_vec(),
        vec![0; 1000],
        "{\"a\":".repeat(100_000).into_bytes(),
        format!("[{}]", "{},".repeat(300_000)).into_bytes(),
        format!("{{{}}}", "\"type\":\"Enroll\",".repeat(30_000)).into_bytes(),
        in_member("datacollection", &format!("[{}]", "{\"a\":1},".repeat(40_000))).into_bytes(),
        in_member("datacollection", &format!("[{{{}}}]", "\"a\":1,".repeat(40_000))).into_bytes(),
        in_member("datacollection", &format!("\"{}\"", "[".repeat(500_000))).into_bytes(),
    ]);
    bodies
}

#[tokio::test]
async fn no_body_of_the_corpus_gets_a_5xx() {
    let facade = Facade::start().await;
    let corpus = corpus();
    assert!(corpus.len() > 500);
    for body in corpus {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        for answer in [facade.post(body.clone()).await, facade.put(UNKNOWN, &[], body).await] {
            assert!(answer.status.as_u16() < 500, "{shown}: {:?}", answer.body);
            if !answer.status.is_success() {
                assert!(!answer.message().is_empty(), "{shown}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_get_a_5xx(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        place in 0_usize..300,
        byte in any::<u8>(),
    ) {
        let mut good = include_bytes!("golden/create-3.json").to_vec();
        let place = place % good.len();
        good[place] = byte;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for body in [bytes, good] {
            let answers = runtime.block_on(async {
                let facade = Facade::start().await;
                [facade.post(body.clone()).await, facade.put(UNKNOWN, &[], body).await]
            });
            prop_assert!(answers.iter().all(|answer| answer.status.as_u16() < 500));
        }
    }
}

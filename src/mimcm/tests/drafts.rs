//! Every accepted form of a draft, one row each, and the refusals.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::golden::enroll;
use crate::domain::{Comment, CredentialIds, DataItem, Draft, Priority, RequestType};
use crate::mimcm::{body, json, text};
use crate::service::Violations;

fn read(body: &[u8], media_type: &'static str) -> Result<Draft, String> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    let text = text::decode(body, text::encoding(&headers)?).ok_or("not text")?;
    let body = json::read(&text).map_err(|error| error.to_string())?;
    body::draft(&body, Violations::default()).map_err(|refusal| refusal.to_string())
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// An enroll draft of the documented template with further members.
fn with(members: &str) -> String {
    format!("{{\"type\":\"Enroll\",\"profiletemplateuuid\":\"a039b4d0-5ce8-4eff-8651-181c6576fda3\"{members}}}")
}

#[test]
fn every_form_of_a_body_means_the_same() {
    let plain = with("");
    let table: [(&str, String); 22] = [
        ("comment given as empty", with(",\"comment\":\"\"")),
        ("comment null", with(",\"comment\":null")),
        ("data collection empty", with(",\"datacollection\":[]")),
        ("data collection null", with(",\"datacollection\":null")),
        ("data collection in a string", with(",\"datacollection\":\"[]\"")),
        ("data collection an empty string", with(",\"datacollection\":\" \"")),
        ("data collection null in a string", with(",\"datacollection\":\"null\"")),
        ("priority null", with(",\"priority\":null")),
        ("priority an empty string", with(",\"priority\":\"\"")),
        ("target a zero GUID", with(",\"target\":\"00000000-0000-0000-0000-000000000000\"")),
        ("target an empty string", with(",\"target\":\"\"")),
        ("smart card null", with(",\"smartcard\":null")),
        ("unknown members", with(",\"state\":{\"a\":[1,2,{}]},\"\":null")),
        ("comma after the last member", with(",")),
        ("comments", with("/* a */ // b\n")),
        ("names in any case", plain.replace("type\"", "TYPE\"").replace("profile", "ProFile")),
        ("single quotes", plain.replace('"', "'")),
        ("names without quotes", plain.replace("\"type\"", "type")),
        ("the last of equal names", with(",\"type\":\"Renew\",\"TYPE\":\"enroll\"")),
        ("GUID in braces", plain.replace("a039", "{A039").replace("fda3", "fda3}")),
        ("GUID with blanks", plain.replace("a039", " a039").replace("fda3", "fda3 ")),
        ("GUID without hyphens", plain.replace("-5ce8-4eff-8651-", "5ce84eff8651")),
    ];
    for (form, body) in table {
        assert_eq!(read(body.as_bytes(), "application/json"), Ok(enroll()), "{form}");
    }

    let encoded: [(&str, Vec<u8>, &str); 5] = [
        ("UTF-8 with a mark", format!("\u{FEFF}{plain}").into_bytes(), "application/json"),
        ("UTF-16 with a mark", utf16(&format!("\u{FEFF}{plain}"), u16::to_le_bytes), "application/json"),
        ("big-endian UTF-16 with a mark", utf16(&format!("\u{FEFF}{plain}"), u16::to_be_bytes), "text/json"),
        ("UTF-16 by its charset", utf16(&plain, u16::to_le_bytes), "application/json; charset=utf-16"),
        ("UTF-8 by its charset", plain.clone().into_bytes(), "application/json;charset=UTF-8"),
    ];
    for (form, body, media_type) in encoded {
        assert_eq!(read(&body, media_type), Ok(enroll()), "{form}");
    }
}

#[test]
fn every_form_of_a_value_is_read() {
    let items = |items: &[(&str, Option<&str>)]| {
        let item = |(name, value): &(&str, Option<&str>)| DataItem::parse("", *name, value.map(str::to_owned)).unwrap();
        Draft { data_items: items.iter().map(item).collect(), ..enroll() }
    };
    let comment = |text: &str| Draft { comment: Comment::parse("", text).unwrap(), ..enroll() };
    let priority = |number| Draft { priority: Some(Priority(number)), ..enroll() };
    let vpn = items(&[("Request Reason", Some("Need VPN Certs"))]);
    let table = [
        ("priority a number", ",\"priority\":4", priority(4)),
        ("priority a string", ",\"priority\":\" 255 \"", priority(255)),
        ("priority with a fraction of zeros", ",\"priority\":4.0", priority(4)),
        ("comment a number", ",\"comment\":4.50", comment("4.50")),
        ("comment a boolean", ",\"comment\":true", comment("true")),
        ("comment with escapes", ",\"comment\":\"\\u00e4\\n\\uD83D\\uDE00\"", comment("ä\n\u{1F600}")),
        (
            "items as pairs",
            ",\"datacollection\":[{\"a\":\"1\"},{\"b\":\"2\"}]",
            items(&[("a", Some("1")), ("b", Some("2"))]),
        ),
        (
            "pairs in one object",
            ",\"datacollection\":[{\"a\":\"1\",\"b\":\"2\"}]",
            items(&[("a", Some("1")), ("b", Some("2"))]),
        ),
        (
            "items by name and value",
            ",\"datacollection\":[{\"Name\":\"a\",\"Value\":\"1\"}]",
            items(&[("a", Some("1"))]),
        ),
        ("value before name", ",\"datacollection\":[{\"value\":null,\"NAME\":\"a\"}]", items(&[("a", None)])),
        ("a pair called name", ",\"datacollection\":[{\"name\":\"pavle\"}]", items(&[("name", Some("pavle"))])),
        (
            "name and value among others",
            ",\"datacollection\":[{\"name\":\"a\",\"value\":\"b\",\"c\":\"d\"}]",
            items(&[("a", Some("b"))]),
        ),
        (
            "values that are no strings",
            ",\"datacollection\":[{\"a\":1.50,\"b\":true,\"c\":null}]",
            items(&[("a", Some("1.50")), ("b", Some("true")), ("c", None)]),
        ),
        ("equal names in one object", ",\"datacollection\":[{\"a\":\"1\",\"a\":\"2\"}]", items(&[("a", Some("2"))])),
        ("nothing in an object", ",\"datacollection\":[{}]", enroll()),
        ("items in a string", ",\"datacollection\":\"[{\\\"a\\\":\\\"1\\\"}]\"", items(&[("a", Some("1"))])),
        ("typographic quotes", ",\"datacollection\":\"[{“Request Reason”:”Need VPN Certs”}]\"", vpn.clone()),
        ("single quotes in a string", ",\"datacollection\":\"[{'Request Reason':'Need VPN Certs'}]\"", vpn),
        (
            "a profile",
            ",\"Profile\":\"b99ff38c-6653-471f-ae3c-325bb351a6bc\"",
            Draft {
                old: CredentialIds { profile: "b99ff38c-6653-471f-ae3c-325bb351a6bc".parse().ok(), smartcard: None },
                ..enroll()
            },
        ),
    ];
    for (form, members, expected) in table {
        assert_eq!(read(with(members).as_bytes(), "application/json"), Ok(expected), "{form}");
    }
}

#[test]
fn a_type_is_read_by_every_name() {
    let table = [
        ("\"Revoke\"", RequestType::Disable),
        ("\"disable\"", RequestType::Disable),
        ("\"REINSTATE\"", RequestType::SuspendOrReinstate),
        ("\"TemporaryCards\"", RequestType::TemporaryCardEnroll),
        ("\"temporaryenroll\"", RequestType::TemporaryCardEnroll),
        ("5", RequestType::Unblock),
        ("\"5\"", RequestType::Unblock),
    ];
    for (kind, expected) in table {
        let body = format!("{{\"type\":{kind},\"smartcard\":\"17cf063d-e337-4aa9-a822-346554ddd3c9\"}}");
        assert_eq!(read(body.as_bytes(), "application/json").map(|draft| draft.kind), Ok(expected), "{kind}");
    }
}

#[test]
fn violations_use_legacy_names() {
    let types = "type must be one of Enroll, Duplicate, OfflineUnblock, OnlineUpdate, Renew, Recover, RecoverOnBehalf, \
                 Reinstate, Retire, Revoke, TemporaryCards, Unblock";
    let object = "The request body must be a JSON object";
    let priority = "priority must be a whole number from 0 to 255";
    let collection = "datacollection must be an array of objects, or a string that holds one";
    let many = with(&format!(",\"datacollection\":[{}]", "{\"a\":1},".repeat(201)));
    let table: [(String, &str); 22] = [
        ("null".to_owned(), object),
        ("[]".to_owned(), object),
        ("\"{}\"".to_owned(), object),
        ("{}".to_owned(), types),
        ("{\"type\":\"\"}".to_owned(), types),
        ("{\"type\":true}".to_owned(), types),
        ("{\"type\":0}".to_owned(), types),
        (with(",\"priority\":256"), priority),
        (with(",\"priority\":-1"), priority),
        (with(",\"priority\":4.5"), priority),
        (with(",\"priority\":\"4.0\""), priority),
        (with(",\"priority\":[4]"), priority),
        (with(",\"priority\":false"), priority),
        (with(",\"comment\":{}"), "comment must be a string"),
        (with(",\"comment\":\"\\u0000\""), "comment must not contain U+0000"),
        (with(",\"datacollection\":5"), collection),
        (with(",\"datacollection\":\"{}\""), collection),
        (with(",\"datacollection\":[1]"), "datacollection[0] must be an object"),
        (
            with(",\"datacollection\":[{\"a\":[]}]"),
            "datacollection[0].value must be a string, a number, a boolean or null",
        ),
        (with(",\"datacollection\":[{\"\":1}]"), "datacollection[0].name must not be empty"),
        (with(",\"datacollection\":[{\"Name\":null,\"Value\":1}]"), "datacollection[0].name must be a string"),
        (many, "datacollection must hold at most 200 items"),
    ];
    for (body, expected) in table {
        assert_eq!(read(body.as_bytes(), "application/json"), Err(expected.to_owned()), "{body}");
    }
    let body = "{\"target\":\"me\",\"SmartCard\":7,\"priority\":\"high\",\"type\":\"Enroll\"}";
    let all = format!("target must be a GUID; smartcard must be a GUID; {priority}");
    assert_eq!(read(body.as_bytes(), "application/json"), Err(all));
}

//! Plays every row of the tables in `forms.md`.

use axum::body::Body;
use http::{Request, StatusCode};

use super::{Answer, CARD_TEMPLATE, Facade, REQUESTS};

const TABLE: &str = include_str!("../forms.md");
const PREFIX: &str = "/CertificateManagement/api/v1.0";

/// The cells of the rows below a heading, without surrounding backticks.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = TABLE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells =
        |line: &'static str| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    let rows: Vec<Vec<_>> = lines.map(cells).collect();
    assert!(!rows.is_empty(), "{heading}");
    rows
}

/// A facade with one approved request, and the id of the request.
async fn approved_request() -> (Facade, String) {
    let facade = Facade::start().await;
    let id = facade.created(include_str!("golden/create-1.json")).await;
    (facade, id)
}

/// A cell with its abbreviations expanded.
fn expanded(cell: &str, id: &str) -> String {
    let draft = "\"type\":\"Enroll\",\"profiletemplateuuid\":\"{t}\"";
    cell.replace('…', draft).replace("{t}", CARD_TEMPLATE).replace("{id}", id).replace('~', PREFIX)
}

async fn play(facade: &Facade, id: &str, call: &str, body: &str) -> Answer {
    play_with(facade, id, call, ("content-type", "application/json"), body).await
}

async fn play_with(facade: &Facade, id: &str, call: &str, (name, value): (&str, &str), body: &str) -> Answer {
    let (method, path) = call.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(expanded(path, id)).header(name, value);
    let request = if name.eq_ignore_ascii_case("content-type") {
        request
    } else {
        request.header("content-type", "application/json")
    };
    facade.send(request.body(Body::from(expanded(body, id))).unwrap()).await
}

#[tokio::test]
async fn every_form_that_the_table_accepts_is_accepted() {
    let rows = rows("Accepted");
    assert!(rows.len() > 60);
    for row in rows {
        let [form, call, body, shows] = row[..] else { panic!("{row:?}") };
        let (facade, id) = approved_request().await;
        let mut answer = play(&facade, &id, call, body).await;
        if answer.status == StatusCode::CREATED {
            let created: String = serde_json::from_str(answer.body()).unwrap();
            answer = facade.get(&format!("/CertificateManagement/{created}")).await;
        }
        assert_eq!(answer.status, StatusCode::OK, "{form}: {:?}", answer.body);
        let expected = expanded(shows, &id);
        assert!(answer.body().contains(&expected), "{form}: {} lacks {expected}", answer.body());
    }
}

#[tokio::test]
async fn every_encoding_of_the_table_is_read() {
    for row in rows("Encodings") {
        let [content_type, mark, bytes] = row[..] else { panic!("{row:?}") };
        let (facade, id) = approved_request().await;
        let mark = if mark == "yes" { "\u{FEFF}" } else { "" };
        let text = format!("{mark}{}", expanded("{…,\"comment\":\"ä\u{1F600}\"}", &id));
        let body: Vec<u8> = match bytes {
            "UTF-8" => text.into_bytes(),
            "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            other => panic!("{other}"),
        };
        let mut request = Request::post(REQUESTS);
        if content_type != "none" {
            request = request.header("content-type", content_type);
        }
        let answer = facade.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{row:?}: {:?}", answer.body);
        let stored = facade.store.requests.lock().unwrap().last().unwrap().comment.clone();
        assert_eq!(stored.as_str(), "ä\u{1F600}", "{row:?}");
    }
}

#[tokio::test]
async fn every_header_of_the_table_gets_its_answer() {
    for row in rows("Headers") {
        let [form, call, header, body, answer] = row[..] else { panic!("{row:?}") };
        let (facade, id) = approved_request().await;
        let (status, expected) = answer.split_once(" `").unwrap_or((answer, ""));
        let answer = play_with(&facade, &id, call, header.split_once(": ").unwrap(), body).await;
        assert_eq!(answer.status.as_str(), status, "{form}: {:?}", answer.body);
        match expected.split_once(": ").filter(|(name, _)| !name.contains(' ')) {
            Some((name, value)) => assert_eq!(answer.header(name), Some(value), "{form}"),
            None if expected.is_empty() => {}
            None => assert_eq!(answer.message(), expected, "{form}"),
        }
    }
}

#[tokio::test]
async fn every_form_that_the_table_refuses_gets_its_message() {
    for row in rows("Refused") {
        let [form, call, body, answer] = row[..] else { panic!("{row:?}") };
        let (status, message) = answer.split_once(" `").unwrap();
        let (facade, id) = approved_request().await;
        let answer = play(&facade, &id, call, body).await;
        assert_eq!(answer.status.as_str(), status, "{form}: {:?}", answer.body);
        assert_eq!(answer.message(), expanded(message, &id), "{form}");
    }
}

//! Which tokens open the admin port, and which files are refused.

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::*;

const OLD: &str = "an-old-token-of-20-characters";
const NEW: &str = "QmFzZTY0IHRva2VuIG9mIGEgc2NyYXBlcg==";

fn admits(tokens: &AdminTokens, values: &[&str]) -> bool {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::try_from(*value).unwrap());
    }
    tokens.admit(&headers)
}

#[test]
fn each_listed_token_is_accepted_and_nothing_else() {
    let tokens = AdminTokens::parse(format!("# scrapers\r\n{OLD}\r\n\r\n  {NEW}\n").as_bytes()).unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    for token in [OLD, NEW] {
        assert!(admits(&tokens, &[&bearer(token)]), "{token}");
    }
    let longer = format!("{OLD}s");
    for values in [
        &[][..],
        &[""],
        &[OLD],
        &[&bearer("")],
        &[&bearer("# scrapers")],
        &[&bearer(&OLD[1..])],
        &[&bearer(&longer)],
        &[&bearer(&OLD.to_uppercase())],
        &[&bearer(OLD), &bearer(OLD)],
        &["Basic eA==", &bearer(OLD)],
        &[&format!("Basic {OLD}")],
    ] {
        assert!(!admits(&tokens, values), "{values:?}");
    }
    assert!(!format!("{tokens:?}").contains("token-of"));
}

#[test]
fn a_file_without_usable_tokens_is_refused_and_its_content_is_not_shown() {
    let many = format!("{OLD}\n").repeat(17);
    let long = "x".repeat(513);
    for (text, problem) in [
        ("", "contains no token"),
        ("# nothing\n\n", "contains no token"),
        ("short-secret", "has no token in line 1: a token has 16 to 512"),
        ("\n# x\nsecret with blanks in it", "has no token in line 3"),
        (&long, "has no token in line 1"),
        (&many, "contains 17 tokens; at most 16 are allowed"),
    ] {
        let refused = AdminTokens::parse(text.as_bytes()).unwrap_err();
        assert!(refused.starts_with(problem) && !refused.contains("secret"), "{refused}");
    }
    assert_eq!(AdminTokens::parse(b"\xff").unwrap_err(), "is not UTF-8");
}

//! The token in the header, and NTLM in a token.

use super::*;

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_token_is_read_whatever_the_case_of_its_scheme() {
    for value in ["Negotiate YWJj", "negotiate YWJj", "NEGOTIATE   YWJj "] {
        assert!(is_present(&headers(&[value])));
        assert_eq!(token(&headers(&[value])), Ok(b"abc".to_vec()), "{value}");
    }
}

#[test]
fn other_schemes_are_not_meant() {
    for values in [&[][..], &["Bearer YWJj"], &["NegotiateX YWJj"], &["Nego"], &["NTLM YWJj"]] {
        assert!(!is_present(&headers(values)), "{values:?}");
    }
}

#[test]
fn a_token_that_cannot_be_decoded_is_refused() {
    let of_length = |bytes: usize| format!("Negotiate {}", "A".repeat(bytes - "Negotiate ".len()));
    let (longest, too_long) = (of_length(MAX_TICKET_BYTES), of_length(MAX_TICKET_BYTES + 1));
    for (values, refusal) in [
        (&["Negotiate"][..], Refusal::Empty),
        (&["Negotiate  "], Refusal::Empty),
        (&["Negotiate YWJ"], Refusal::NotBase64),
        (&["Negotiate YW_j"], Refusal::NotBase64),
        (&["Negotiate YWJj YWJj"], Refusal::NotBase64),
        (&["Negotiate YWJj", "Negotiate YWJj"], Refusal::Repeated),
        (&["Bearer x", "Negotiate YWJj"], Refusal::Repeated),
        (&[&longest], Refusal::NotBase64),
        (&[&too_long], Refusal::TooLong),
    ] {
        assert!(is_present(&headers(values)));
        assert_eq!(token(&headers(values)), Err(refusal), "{values:.60?}");
    }
}

#[test]
fn ntlm_is_recognized_in_its_own_messages_and_in_offers() {
    assert!(mentions_ntlm(b"NTLMSSP\0\x01\0\0\0"));
    assert!(mentions_ntlm(&[&[0x60, 0x10, 0x06, 0x0a], NTLM_MECHANISM].concat()));
    assert!(!mentions_ntlm(b"NTLMSSP"));
    assert!(!mentions_ntlm(b""));
}

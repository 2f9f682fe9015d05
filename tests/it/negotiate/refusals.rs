//! What is not accepted in place of a ticket: nothing of it succeeds, stops the service or hides the reason from the operator.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::kdc::{Kdc, Kind, ktutil};
use super::service::{EMPTY, Service};

/// The first message of NTLM.
const NTLM: &[u8] = b"NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// An offer of SPNEGO (RFC 4178, 4.2.1) with a mechanism and its first token.
fn offer(mechanism: &[u8], token: &[u8]) -> Vec<u8> {
    let tagged = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let mechanisms = tagged(0xa0, &tagged(0x30, &tagged(0x06, mechanism)));
    let token = tagged(0xa2, &tagged(0x04, token));
    let initial = tagged(0xa0, &tagged(0x30, &[mechanisms, token].concat()));
    let spnego = tagged(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02]);
    tagged(0x60, &[spnego, initial].concat())
}

fn negotiate(token: &[u8]) -> String {
    format!("Negotiate {}", STANDARD.encode(token))
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_without_a_valid_ticket_are_refused_by_their_check() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let service = Service::start(&kdc, &[]);
    let alice = kdc.log_in("alice").await;
    let good = alice.authorization(&[]);
    let token = STANDARD.decode(good.strip_prefix("Negotiate ").unwrap()).unwrap();
    let ntlm_mechanism = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
    let kerberos_mechanism = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
    let unknown_mechanism = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e];
    let mut changed = token.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (authorization, check) in [
        ("Negotiate".to_owned(), "negotiate_incomplete"),
        (negotiate(NTLM), "negotiate_ntlm"),
        (negotiate(&offer(&ntlm_mechanism, NTLM)), "negotiate_ntlm"),
        (negotiate(&offer(&unknown_mechanism, b"x")), "negotiate_mechanism"),
        (negotiate(&offer(&kerberos_mechanism, b"x")), "negotiate_token"),
        ("Negotiate !".to_owned(), "negotiate_token"),
        (negotiate(&[0]), "negotiate_token"),
        (negotiate(&vec![b'A'; 40_000]), "negotiate_token"),
        (negotiate(&token[..token.len() / 2]), "negotiate_token"),
        (negotiate(&changed), "negotiate_token"),
    ] {
        service.assert_refused(&authorization, check).await;
    }
    // None of it has used up the ticket.
    assert_eq!(service.list(&good).await.status, EMPTY);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_for_other_principals_are_refused() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let service = Service::start(&kdc, &[]);
    let alice = kdc.log_in("alice").await;
    // The keytab has no key of host/localhost.
    service.assert_refused(&alice.authorization(&["--service-name", "host"]), "negotiate_key").await;
    // With both keys, the ticket still is one for another service.
    let merge = format!("rkt {0}/http.keytab\nrkt {0}/host.keytab\nwkt {0}/both.keytab\n", kdc.path("").display());
    ktutil(&merge);
    let both = kdc.path("both.keytab");
    let service = Service::start(&kdc, &[("CMGATE__AUTH__NEGOTIATE__KEYTAB", both.to_str().unwrap())]);
    service.assert_refused(&alice.authorization(&["--service-name", "host"]), "negotiate_key").await;
    assert_eq!(service.list(&alice.authorization(&[])).await.status, EMPTY);
}

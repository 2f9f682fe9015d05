//! Which texts are the ID of a workload.

use super::trust_domain;

#[test]
fn the_trust_domain_of_a_workload_is_read() {
    for id in ["spiffe://corp.test/ns/prod/sa/issuer", "spiffe://corp.test/A.b-c_d", "spiffe://corp.test/..."] {
        assert_eq!(trust_domain(id), Some("spiffe://corp.test"), "{id}");
    }
}

#[test]
fn what_is_not_the_id_of_a_workload_has_none() {
    for id in [
        "",
        "spiffe://",
        "spiffe:///path",
        "spiffe://corp.test",
        "spiffe://corp.test/",
        "spiffe://corp.test/a/",
        "spiffe://corp.test//a",
        "spiffe://corp.test/./a",
        "spiffe://corp.test/../a",
        "spiffe://corp.test/a%2fb",
        "spiffe://corp.test/a?b",
        "spiffe://corp.test/a#b",
        "spiffe://corp.test/ä",
        "spiffe://user@corp.test/a",
        "spiffe://corp.test:1/a",
        "spiffe://Corp.test/a",
        "SPIFFE://corp.test/a",
        "https://corp.test/a",
        &format!("spiffe://corp.test/{}", "a".repeat(2048)),
        &format!("spiffe://{}/a", "a".repeat(256)),
    ] {
        assert_eq!(trust_domain(id), None, "{id}");
    }
}

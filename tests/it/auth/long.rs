//! Long tokens: users of many groups.

use serde_json::json;

use super::{Guarded, Issuer, SigningKey, draft, entry};

/// The limits on heads leave room for the longest token that an entry accepts, over both transports.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_970_groups_is_accepted_over_both_transports() {
    let key = SigningKey::rsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let mut entry = entry("idp", &issuer);
    entry.extend([("MAX_BYTES", "65536".to_owned()), ("USER__GROUPS", "groups".to_owned())]);
    let guarded = Guarded::start(&[entry]);

    let sid = |rid: usize| format!("S-1-5-21-2127521184-1604012920-1887927527-{rid}");
    let with_groups = |count: usize| {
        let groups: Vec<String> = (1_000..1_000 + count).map(sid).collect();
        draft(&issuer.url("")).claim("groups", json!(groups)).sign(&key)
    };
    let token = with_groups(970);
    assert!((60_000..65_536).contains(&token.len()), "{} bytes", token.len());
    guarded.create(&token).await.unwrap();
    guarded.list(&token).await.assert_accepted();

    let too_long = with_groups(1_010);
    assert!(too_long.len() > 65_536, "{} bytes", too_long.len());
    assert!(guarded.create(&too_long).await.is_err());
    assert_eq!(guarded.list(&too_long).await.status, 401);
    assert_eq!(guarded.refused("size").await, 2);
}

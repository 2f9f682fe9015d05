//! Configurations of Negotiate that the service refuses at start instead of refusing every call.

use std::fs;

use super::kdc::{Kdc, Kind};
use crate::support::env::TestEnv;

#[tokio::test(flavor = "multi_thread")]
async fn a_keytab_or_replay_cache_that_cannot_work_stops_the_process_with_a_sentence() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let (good, host, missing, text) =
        (kdc.path("http.keytab"), kdc.path("host.keytab"), kdc.path("missing.keytab"), kdc.path("krb5.conf"));
    let (replay, nowhere) = (kdc.path("replay"), kdc.path("missing/replay"));
    fs::write(kdc.path("file"), "").unwrap();
    let below_file = kdc.path("file/replay");
    for (keytab, replay_cache, sentence) in [
        (&missing, &replay, format!("auth.negotiate.keytab: cannot read {}: No such file", missing.display())),
        (&text, &replay, format!("auth.negotiate.keytab: {} is not a keytab", text.display())),
        (
            &host,
            &replay,
            format!(
                "auth.negotiate.keytab: {} has no key of a principal HTTP/host@REALM; it has host/localhost@CORP.TEST",
                host.display()
            ),
        ),
        (&good, &nowhere, format!("auth.negotiate.replay_cache: cannot write {}: No such file", nowhere.display())),
        (&good, &below_file, format!("auth.negotiate.replay_cache: cannot write {}: Not a dir", below_file.display())),
    ] {
        let settings = [
            ("CMGATE__KAFKA__BROKERS", ""),
            ("CMGATE__AUTH__NEGOTIATE__KEYTAB", keytab.to_str().unwrap()),
            ("CMGATE__AUTH__NEGOTIATE__REPLAY_CACHE", replay_cache.to_str().unwrap()),
        ];
        let output = TestEnv::sqlite().run(&settings, &["serve"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.lines().any(|line| line.contains(&sentence)), "{sentence} is not in {stderr}");
        assert_eq!(output.status.code(), Some(64), "{stderr}");
    }
}

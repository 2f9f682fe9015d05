//! Configurations of Negotiate that the service refuses at start instead of refusing every call.

use std::fs;

use super::kdc::{Kdc, Kind, ktutil};
use super::service::environment;
use crate::support::env::TestEnv;

#[tokio::test(flavor = "multi_thread")]
async fn a_keytab_or_replay_cache_that_cannot_work_stops_the_process_with_a_sentence() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let (good, host, missing, text) =
        (kdc.path("http.keytab"), kdc.path("host.keytab"), kdc.path("missing.keytab"), kdc.path("krb5.conf"));
    let (replay, nowhere) = (kdc.path("replay"), kdc.path("missing/replay"));
    fs::write(kdc.path("file"), "").unwrap();
    let (empty, directory) = (kdc.path("file"), kdc.path(""));
    let below_file = kdc.path("file/replay");
    for (keytab, replay_cache, sentence) in [
        (&missing, &replay, format!("auth.negotiate.keytab: cannot read {}: No such file", missing.display())),
        (
            &empty,
            &replay,
            format!("auth.negotiate.keytab: {} is empty; export the keys of the service", empty.display()),
        ),
        (&directory, &replay, format!("auth.negotiate.keytab: {} is not a regular file", directory.display())),
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
        // Only the start creates the replay cache, as the user who writes it later.
        let commands = if keytab == &good { &["serve"][..] } else { &["serve", "check-config"] };
        for command in commands {
            let output = TestEnv::sqlite().run(&settings, &[command]);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.lines().any(|line| line.contains(&sentence)), "{sentence} is not in {stderr}");
            assert_eq!(output.status.code(), Some(64), "{stderr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_lists_the_principals_of_the_keytab() {
    let Some(kdc) = Kdc::start(Kind::Mit).await else { return };
    let weak = kdc.path("weak.keytab");
    let key = "addent -password -p HTTP/localhost@CORP.TEST -k 3 -e arcfour-hmac\nSecret-1\n";
    ktutil(&format!("{key}wkt {}\n", weak.display()));
    for (keytab, remarks) in [
        (kdc.path("http.keytab"), "#   HTTP/localhost@CORP.TEST: aes256-cts-hmac-sha1-96 (version "),
        (
            weak,
            "#   HTTP/localhost@CORP.TEST: rc4-hmac (version 3)\n# Warning: auth.negotiate.keytab: only weak keys (RC4",
        ),
    ] {
        let environment = environment(&kdc);
        let own = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let settings = [&own[..], &[("CMGATE__AUTH__NEGOTIATE__KEYTAB", keytab.to_str().unwrap())]].concat();
        let output = TestEnv::sqlite().run(&settings, &["check-config"]);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && stdout.contains(remarks), "{remarks} is not in {stdout}");
        toml::from_str::<toml::Table>(&stdout).unwrap();
        assert!(!kdc.path("replay").exists());
    }
}

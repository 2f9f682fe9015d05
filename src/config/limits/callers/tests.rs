//! Limits of callers in files and in the environment, and what is refused.

use super::*;
use crate::config::tests::load;
use crate::domain::{Sid, UserId};

const USER: &str = "6f1c1a52-3f0e-4c1e-9d0b-0a4f7d1f2a11";
const ENTRY: &str =
    "[[auth.jwt]]\nname = 'a'\nissuers = ['https://a']\ndiscovery = 'https://a'\naudiences = ['cmgate']\n";

#[test]
fn limits_are_read_from_a_file_and_from_the_environment() {
    let file = format!("{ENTRY}limits = {{ rate = 50, burst = 100, calls = 32 }}\n[limits.caller]\nrate = 7\n");
    let config = load(&file, &[("CMGATE__LIMITS__CALLER__CALLS", "9")]).unwrap();
    let GeneralCallerLimits { rate, burst, calls } = config.limits.caller;
    assert_eq!((rate, burst, calls), (7, 0, 9));
    let CallerLimits { rate, burst, calls } = config.auth.jwt[0].limits.clone().unwrap();
    assert_eq!((rate, burst, calls), (Some(50), Some(100), Some(32)));
    let rendered = config.render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);

    let variables = [
        ("CMGATE__LIMITS__CALLERS__0__USER", USER),
        ("CMGATE__LIMITS__CALLERS__0__RATE", "5"),
        ("CMGATE__LIMITS__CALLERS__1__USER", "S-1-5-21-1-2-3-1104"),
        ("CMGATE__AUTH__NEGOTIATE__KEYTAB", "/k"),
        ("CMGATE__AUTH__NEGOTIATE__REPLAY_CACHE", "/r"),
        ("CMGATE__AUTH__NEGOTIATE__LIMITS__CALLS", "6"),
        ("CMGATE__AUTH__PROXY__LIMITS__RATE", "4"),
        ("CMGATE__LISTEN_UNIX", "/s"),
    ];
    let config = load("", &variables).unwrap();
    assert_eq!(config.auth.negotiate.as_ref().unwrap().limits.as_ref().unwrap().calls, Some(6));
    assert_eq!(config.auth.proxy.as_ref().unwrap().limits.as_ref().unwrap().rate, Some(4));
    let users: Vec<_> = config.limits.callers.iter().map(|entry| entry.user.clone()).collect();
    let user: UserId = USER.parse().unwrap();
    assert_eq!(users, [Principal::User(user), Principal::Group(Sid::parse("S-1-5-21-1-2-3-1104").unwrap())]);
    let rendered = config.render().unwrap();
    assert_eq!(load(&rendered, &[]).unwrap().render().unwrap(), rendered);
}

#[test]
fn the_samples_of_the_example_file_are_valid() {
    let example = include_str!("../../../../deploy/config.example.toml");
    let lines = example.lines().skip_while(|line| *line != "[limits]").take_while(|line| *line != "[limits.caller]");
    let samples: Vec<_> = lines.filter_map(|line| line.strip_prefix("#   ")).collect();
    let (of_entry, of_caller) = samples.split_first().unwrap();
    let config = load(&format!("{ENTRY}{of_entry}\n{}", of_caller.join("\n")), &[]).unwrap();
    assert_eq!(config.auth.jwt[0].limits.as_ref().unwrap().calls, Some(32));
    assert_eq!(config.limits.callers[0].rate, Some(2_000));
}

#[test]
fn a_wrong_limit_names_its_key() {
    let caller = |text: &str| format!("[[limits.callers]]\nuser = '{USER}'\n{text}");
    for (file, sentence) in [
        ("[limits.caller]\nrate = 1000001", "limits.caller.rate must be 0 to 1000000, not 1000001"),
        ("[limits.caller]\ncalls = -1", "limits.caller.calls must be a whole number"),
        ("[limits.caller]\nrate = 'some'", "limits.caller.rate must be a whole number"),
        ("[limits.caller]\nrates = 1", "limits.caller.rates is not a known key; known are rate, burst, calls"),
        (&format!("{ENTRY}limits = {{ burst = 2000000 }}"), "auth.jwt[0].limits.burst must be 0 to 1000000"),
        (&format!("{ENTRY}limits = {{ user = 1 }}"), "auth.jwt[0].limits.user is not a known key"),
        (&caller("calls = 1000001"), "limits.callers[0].calls must be 0 to 1000000"),
        (&caller(&caller("")), "limits.callers[1].user must differ from those before it, 6f1c1a52-"),
        ("[[limits.callers]]\nuser = 'alice'", "limits.callers[0].user must be the UUID of a user or a security"),
        ("[[limits.callers]]\nrate = 1", "limits.callers[0] lacks user"),
        (
            "[auth.negotiate]\nkeytab = '/k'\nreplay_cache = '/r'\nlimits.calls = 1000001",
            "auth.negotiate.limits.calls must be 0 to",
        ),
        ("listen_unix = '/s'\n[auth.proxy]\nlimits.rate = 1000001", "auth.proxy.limits.rate must be 0 to"),
        (
            "[[auth.certificate]]\nname = 'a'\nsource = 'upn'\nlimits.rate = 1000001\n[tls]\ncertificate = 'a'\n\
             key = 'b'\nclient_certificates = 'optional'\nclient_ca = 'c'",
            "auth.certificate[0].limits.rate must be 0 to",
        ),
    ] {
        let refused = load(file, &[]).unwrap_err();
        assert!(refused.starts_with(sentence), "{refused}");
    }
}

//! The headers of every call: valid and malformed ones.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::proptest;

use super::super::Transport;
use super::{
    CONTENT_ENCODING, CORRELATION_HEADER, GRPC_ENCODING_HEADER, correlation, is_traceparent, is_tracestate,
    parse_timeout, take_gzip, trace,
};

#[test]
fn a_timeout_has_the_units_of_the_specification() {
    for (text, timeout) in [
        ("2H", Duration::from_hours(2)),
        ("3M", Duration::from_mins(3)),
        ("30S", Duration::from_secs(30)),
        ("250m", Duration::from_millis(250)),
        ("5u", Duration::from_micros(5)),
        ("0n", Duration::ZERO),
        ("99999999H", Duration::from_hours(99_999_999)),
    ] {
        assert_eq!(parse_timeout(text), Some(timeout), "{text}");
    }
    for bad in ["", "S", "10", "10s", "-1S", "+1S", "1.5S", "100000000S", " 1S", "1é", "é"] {
        assert_eq!(parse_timeout(bad), None, "{bad}");
    }
}

#[test]
fn a_trace_context_has_the_form_of_w3c() {
    let trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert!(is_traceparent(&format!("00-{trace}")));
    assert!(is_traceparent(&format!("cc-{trace}-what-comes-later")));
    for bad in [
        String::new(),
        format!("00-{trace}-more"),
        format!("cc-{trace}.more"),
        format!("ff-{trace}"),
        format!("00-{}", trace.to_uppercase()),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".to_owned(),
        "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01".to_owned(),
        format!("00-{}", trace.replace('7', "é")),
    ] {
        assert!(!is_traceparent(&bad), "{bad}");
    }
}

#[test]
fn a_call_keeps_the_id_that_its_caller_sent() {
    let of = |value| correlation(&HeaderMap::from_iter([(CORRELATION_HEADER, HeaderValue::from_static(value))]));
    for id in ["0198c2f6-7b3e-7cc0-8a51-2f7f3f0f9d01", "order-17/step:3"] {
        assert_eq!(of(id).unwrap().as_str(), id);
    }
    assert_eq!((of("two words"), of(""), correlation(&HeaderMap::new())), (None, None, None));
}

#[test]
fn the_state_of_a_trace_is_kept_with_its_context_only() {
    let parent = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let of = |headers: &[(&'static str, &'static str)]| {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        trace(&headers.iter().map(header).collect::<HeaderMap>())
    };
    let mut headers = HeaderMap::new();
    headers.append("traceparent", HeaderValue::from_static(parent.1));
    headers.append("tracestate", HeaderValue::from_static("a=1"));
    headers.append("tracestate", HeaderValue::from_static("b=2"));
    assert_eq!(trace(&headers).tracestate.as_deref(), Some("a=1,b=2"));
    headers.append("tracestate", HeaderValue::try_from(format!("c={}", "c".repeat(250))).unwrap());
    headers.append("tracestate", HeaderValue::try_from(format!("d={}", "d".repeat(249))).unwrap());
    assert_eq!(trace(&headers).tracestate.unwrap().len(), 512);
    headers.append("tracestate", HeaderValue::from_static(""));
    assert_eq!((trace(&headers).tracestate, trace(&headers).traceparent.as_deref()), (None, Some(parent.1)));
    assert_eq!(of(&[("tracestate", "a=1")]).tracestate, None);
    assert_eq!(of(&[("traceparent", "00-0"), ("tracestate", "a=1")]).tracestate, None);
}

#[test]
fn the_state_of_a_trace_has_the_form_of_w3c() {
    let longest = format!("{}={}", "k".repeat(256), "v".repeat(256));
    let most = (0..32).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    for state in ["a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "1a-2@b_*/=x y", "a=1, b=2,,c= 3", &longest, &most]
    {
        assert!(is_tracestate(state), "{state}");
    }
    let (long_key, long_value) = (format!("{}=v", "k".repeat(257)), format!("k={}", "v".repeat(257)));
    let too_many = format!("{most},more=v");
    for state in [
        "",
        ",",
        "a",
        "a=",
        "=1",
        "A=1",
        "_a=1",
        "a b=1",
        "a=1=2",
        "a=1,a=2",
        "a=é",
        "a=\u{1}",
        &long_key,
        &long_value,
        &too_many,
    ] {
        assert!(!is_tracestate(state), "{state}");
    }
}

proptest! {
    #[test]
    fn no_header_makes_the_parsers_panic(text in ".{0,70}") {
        let _ = (parse_timeout(&text), is_traceparent(&text), is_tracestate(&text));
    }
}

#[test]
fn only_gzip_alone_is_taken() {
    for (transport, name) in [(Transport::Grpc, GRPC_ENCODING_HEADER), (Transport::Legacy, CONTENT_ENCODING)] {
        let headers = |values: &[&'static str]| -> HeaderMap {
            values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        let mut gzip = headers(&["GZip"]);
        assert!(take_gzip(transport, &mut gzip));
        assert!(gzip.is_empty(), "the header is gone");
        for others in [&[][..], &["identity"], &["deflate"], &["gzip, gzip"], &["gzip", "gzip"], &["deflate", "gzip"]] {
            let mut others = headers(others);
            let before = others.clone();
            assert!(!take_gzip(transport, &mut others), "{others:?}");
            assert_eq!(others, before);
        }
    }
}

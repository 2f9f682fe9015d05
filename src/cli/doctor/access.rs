//! Who may call, and how much: the list of denied tokens, the trusted proxy, the tokens of the admin port, the networks before the
//! port, the addresses, and the limits of callers.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::report::{Finding, count};
use super::{TooSlow, blocking, proofs, too_slow};
use crate::cli::settings::Settings;
use crate::config::Mode;
use crate::http::admin::admin_token_file;
use crate::http::auth::ProofSettings;
use crate::http::auth::proxy::ProxyName;
use crate::runtime::network::Networks;
use crate::runtime::telemetry::error_chain;
use crate::runtime::watched_file::{WatchedFile, WatchedFileError};
use crate::service::{CallerLimit, CallerLimitSettings};

const DENIED: &str = "auth.denied";
const PROXY: &str = "auth.proxy";
const SOCKET: &str = "listen_unix";
const ADMIN_TOKENS: &str = "admin_token_file";
const LIMITS: &str = "limits";
/// The bits of a mode that let users outside of the group read, and write.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
/// Bit of the mode of a directory in which users remove only their own files.
const STICKY: u32 = 0o1000;

/// Examines all of them.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let for_files = settings.clone();
    let mut findings = match blocking(move || files(&for_files)).await {
        Ok(findings) => findings,
        Err(TooSlow) => vec![too_slow("files", "move the files of auth.denied and admin_tls to a local disk")],
    };
    findings.extend(networks(&settings.terminated));
    findings.push(limits(settings.mode, &settings.api.caller_limits));
    findings
}

fn files(settings: &Settings) -> Vec<Finding> {
    let proofs = proofs(&settings.authentication);
    let mut findings: Vec<Finding> = [("listen", settings.listen), ("admin_listen", settings.admin_listen)]
        .into_iter()
        .filter_map(address)
        .collect();
    findings.extend(proofs.and_then(denied));
    findings.extend(proofs.and_then(proxy_certificate));
    findings.extend(settings.listen_unix.as_deref().map(socket));
    findings.extend(settings.admin_tokens.clone().map(admin_tokens));
    findings
}

/// A fault if an address is none of this machine. The port itself is not tried: the service may be running.
fn address((key, address): (&'static str, SocketAddr)) -> Option<Finding> {
    let error = TcpListener::bind((address.ip(), 0)).err()?;
    let text = format!("cannot listen on {}: {error}", address.ip());
    Some(Finding::fault(key, text, "set it to an address of this machine, or to 0.0.0.0 or [::]"))
}

fn denied(proofs: &ProofSettings) -> Option<Finding> {
    let path = proofs.denied.as_ref()?.display();
    Some(match proofs.denied_entries() {
        Ok(entries) => Finding::ok(DENIED, format!("{entries} denied in {path}", entries = count(entries, "entry"))),
        Err(error) => unusable(DENIED, &error),
    })
}

fn proxy_certificate(proofs: &ProofSettings) -> Option<Finding> {
    let certificate = proofs.proxy.as_ref()?.certificate.as_ref()?;
    let name = match &certificate.name {
        ProxyName::Spiffe(id) => id.clone(),
        ProxyName::KeyHash(_) => "a public key".to_owned(),
        ProxyName::Dn(subject) => subject.clone(),
    };
    Some(Finding::ok(PROXY, format!("connections with the client certificate of {name} may name every user")))
}

/// The unix socket of the proxy. Whoever can connect to it may name every user.
fn socket(path: &Path) -> Finding {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = directory.display();
    let mode = match fs::metadata(directory) {
        Ok(found) if found.is_dir() => found.permissions().mode(),
        Ok(_) => return Finding::fault(SOCKET, format!("{shown} is not a directory"), "correct listen_unix"),
        Err(error) => {
            let advice = "create the directory for the user of the service, or correct its owner and mode";
            return Finding::fault(SOCKET, format!("cannot read {shown}: {error}"), advice);
        }
    };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let advice = "remove it, or correct listen_unix";
            return Finding::fault(SOCKET, format!("{} exists and is not a socket", path.display()), advice);
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let advice = "correct the owner and mode of the directory";
            return Finding::fault(SOCKET, format!("cannot read {}: {error}", path.display()), advice);
        }
        Ok(_) | Err(_) => {}
    }
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        let text = format!("every user of this machine may replace files in {shown}, the socket as well");
        return Finding::warning(SOCKET, text, "remove the right to write for others (chmod o-w)");
    }
    let state = match UnixStream::connect(path) {
        Ok(_) => "a process listens",
        Err(_) => "no process listens now",
    };
    Finding::ok(SOCKET, format!("{}, {state}", path.display()))
}

fn admin_tokens(path: PathBuf) -> Finding {
    let (file, shown) = (path.clone(), path.display().to_string());
    let tokens = match WatchedFile::load(admin_token_file(path)) {
        Ok(tokens) => tokens.current().content.count(),
        Err(error) => return unusable(ADMIN_TOKENS, &error),
    };
    let text = format!("{} in {shown}", count(tokens, "token"));
    if fs::metadata(file).is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0) {
        let text = format!("{text}, which every user of this machine may read");
        return Finding::warning(ADMIN_TOKENS, text, "remove the right to read for others (chmod o-r)");
    }
    Finding::ok(ADMIN_TOKENS, text)
}

/// A file that the service could not use. Its error begins with the key, which the finding has already.
fn unusable(key: &str, error: &WatchedFileError) -> Finding {
    let text = error_chain(error);
    let problem = text.strip_prefix(key).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&text);
    Finding::fault(key, problem, "correct the file, its owner or its mode")
}

/// The networks of `tls.terminated` should hold the proxies alone.
fn networks(terminated: &Networks) -> Option<Finding> {
    // Addresses of the internet that no site uses for its own proxies.
    let public =
        [IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), IpAddr::V6(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888))];
    public.into_iter().any(|address| terminated.contain(address)).then(|| {
        let text = format!("{terminated} contains addresses of the internet, whose connections are not encrypted");
        Finding::warning("tls.terminated", text, "list the networks of the proxies only")
    })
}

fn limits(mode: Mode, limits: &CallerLimitSettings) -> Finding {
    let CallerLimitSettings { general, entries, users, sids } = limits;
    let own = format!(
        "{} and {} have limits of their own",
        count(entries.len(), "entry"),
        count(users.len() + sids.len(), "caller")
    );
    let text = format!("each caller: {}; {own}", describe(*general));
    match mode {
        Mode::Production if *general == CallerLimit::default() => {
            let advice = "set rate and calls in [limits.caller], so that one caller cannot slow down the others";
            Finding::warning(LIMITS, text, advice)
        }
        Mode::Production | Mode::Development => Finding::ok(LIMITS, text),
    }
}

fn describe(limit: CallerLimit) -> String {
    let rate = limit.rate.map(|rate| format!("{} calls per second (burst {})", rate.per_second, rate.burst));
    let calls = limit.calls.map(|calls| format!("{calls} in flight"));
    match (rate, calls) {
        (None, None) => "no limit".to_owned(),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(rate), Some(calls)) => format!("{rate}, {calls}"),
    }
}

#[cfg(test)]
mod tests;

//! The first session: lines to paste into a shell, for each person of the demo.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::certificates::{CA, CLIENT, CLIENT_KEY};
use super::people::{PEOPLE, Person};

/// The template of the demo.
const TEMPLATE: &str = "4c1d58ae-3c0f-4b8e-9d55-7a0e6f2b9c31";
const REQUESTS: &str = "/CertificateManagement/api/v1.0/requests";
const SERVICE: &str = "cmgate.v1.RequestService";

/// What the banner of the demo shows.
#[derive(Debug)]
pub(in crate::cli) struct Session {
    pub(super) directory: PathBuf,
}

/// The file with the token of a person.
pub(super) fn token_file(person: &Person) -> String {
    format!("{}.token", person.subject)
}

impl Session {
    /// Writes the lines for a service at an address. Lines to paste are indented.
    pub(in crate::cli) fn write(&self, address: SocketAddr, output: &mut impl Write) -> io::Result<()> {
        let directory = self.directory.display().to_string();
        writeln!(output, "DEMO, not for production: the CA, the issuer and all keys in {directory} are throw-away.")?;
        for Person { subject, role, .. } in &PEOPLE {
            writeln!(output, "{subject}: {role}")?;
        }
        writeln!(output, "Their tokens expire in 8 hours; start the demo again for new ones.")?;
        writeln!(output, "\nin another terminal (needs curl; jq and grpcurl for gRPC):")?;
        writeln!(output, "  cd {}", quoted(&directory))?;
        for person in &PEOPLE {
            let variable = person.subject.to_uppercase();
            writeln!(output, "  {variable}=\"Authorization: Bearer $(cat {})\"", token_file(person))?;
        }
        write_rest(address, output)?;
        write_grpc(address, output)?;
        writeln!(output)
    }
}

fn write_rest(address: SocketAddr, output: &mut impl Write) -> io::Result<()> {
    let api = format!("https://{address}{REQUESTS}");
    let curl = format!("curl -sS --fail-with-body --cacert {CA}");
    writeln!(output, "REST: who alice is, a request of hers, and her requests")?;
    writeln!(output, "  {curl} -H \"$ALICE\" https://{address}/v1/whoami")?;
    writeln!(
        output,
        "  {curl} -H \"$ALICE\" -H 'Content-Type: application/json' {api} \
         -d '{{\"datacollection\":\"[]\",\"type\":\"Enroll\",\"profiletemplateuuid\":\"{TEMPLATE}\",\"comment\":\"\"}}'"
    )?;
    writeln!(output, "  {curl} -H \"$ALICE\" '{api}?status=Pending&targetuser=current'")
}

fn write_grpc(address: SocketAddr, output: &mut impl Write) -> io::Result<()> {
    let grpcurl = format!("grpcurl -cacert {CA}");
    let call = |person: &str, data: &str, method: &str| {
        format!("{grpcurl} -H \"${person}\" -d {data} {address} {SERVICE}/{method}")
    };
    let draft = format!("'{{\"draft\": {{\"type\": \"REQUEST_TYPE_ENROLL\", \"profile_template\": \"{TEMPLATE}\"}}}}'");
    let id = r#""{\"id\": \"$id\"}""#;
    writeln!(output, "gRPC: a request of alice, which bob approves and carol starts and completes")?;
    writeln!(output, "  id=$({} | jq -r .request.id)", call("ALICE", &draft, "CreateRequest"))?;
    for (person, method) in [("BOB", "ApproveRequest"), ("CAROL", "StartRequest"), ("CAROL", "CompleteRequest")] {
        writeln!(output, "  {}", call(person, id, method))?;
    }
    writeln!(output, "  {}", call("CAROL", "'{}'", "GetRequests"))?;
    let whoami = format!("{address} cmgate.v1.CallerService/WhoAmI");
    writeln!(output, "gRPC: who the service takes callers for, by token and by client certificate")?;
    writeln!(output, "  {grpcurl} -H \"$BOB\" {whoami}")?;
    writeln!(output, "  {grpcurl} -cert {CLIENT} -key {CLIENT_KEY} {whoami}")
}

/// A word of the shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        for path in ["/a/b.c_d-e", "/a b", "/it's", "/$(id)", "/a\"b"] {
            let echoed = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(path))]).output();
            assert_eq!(String::from_utf8(echoed.unwrap().stdout).unwrap(), path);
        }
    }
}

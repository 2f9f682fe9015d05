//! The banner that the service prints once it listens: its addresses and, in development mode, example commands.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use super::demo::Session;

/// The content of the banner.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    /// Address of gRPC and REST.
    pub(super) public: SocketAddr,
    /// The scheme of that port.
    pub(super) public_scheme: Scheme,
    /// Address of health and metrics.
    pub(super) private: SocketAddr,
    /// The scheme of that port.
    pub(super) private_scheme: Scheme,
    /// Bootstrap servers of Kafka.
    pub(super) broker: &'a str,
    /// The topic of the events.
    pub(super) topic: &'a str,
    /// Whether Kafka is the test broker within this process.
    pub(super) is_test_broker: bool,
    /// The database, with its address and user, or its file.
    pub(super) database: &'a str,
    /// The mode of the configuration.
    pub(super) mode: &'static str,
    /// The commands to print; `None` without.
    pub(super) examples: Option<&'a Examples>,
}

/// Commands to paste.
#[derive(Debug)]
pub(super) enum Examples {
    /// Those of the development caller.
    Development,
    /// Those of the people of the demo.
    Demo(Session),
}

/// The scheme of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Banner<'_> {
    /// Prints the banner.
    pub(super) fn print(&self, output: &mut impl Write) {
        // A service whose output is closed still serves.
        let _ = self.write(output);
    }

    fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let Self { public, public_scheme, private, private_scheme, broker, topic, database, mode, .. } = self;
        match self.examples {
            None => {}
            Some(Examples::Development) => self.write_development(output)?,
            Some(Examples::Demo(session)) => session.write(*public, output)?,
        }
        writeln!(output, "cmgate {}, {mode} mode, {database}", env!("CARGO_PKG_VERSION"))?;
        let note = if self.is_test_broker { " (test broker in this process; it keeps nothing)" } else { "" };
        writeln!(output, "Kafka: {broker}, topic {topic}{note}")?;
        writeln!(output, "gRPC and REST: {public_scheme}://{public}")?;
        writeln!(output, "health and metrics: {private_scheme}://{private}")?;
        output.flush()
    }

    fn write_development(&self, output: &mut impl Write) -> io::Result<()> {
        let Self { public, public_scheme, broker, topic, .. } = self;
        let (curl, grpcurl) = match public_scheme {
            Scheme::Http => ("curl", "grpcurl -plaintext"),
            Scheme::Https => ("curl --cacert CA.pem", "grpcurl -cacert CA.pem"),
        };
        writeln!(output, "create a request over REST:")?;
        writeln!(
            output,
            "  {curl} -i {public_scheme}://{public}/CertificateManagement/api/v1.0/requests -H 'Content-Type: application/json' \
             -d '{{\"datacollection\":\"[]\",\"type\":\"Enroll\",\"profiletemplateuuid\":\
             \"a039b4d0-5ce8-4eff-8651-181c6576fda3\",\"comment\":\"\"}}'"
        )?;
        writeln!(output, "list requests over gRPC:")?;
        writeln!(output, "  {grpcurl} {public} cmgate.v1.RequestService/GetRequests")?;
        writeln!(output, "read the events from Kafka:")?;
        writeln!(output, "  kcat -b {broker} -t {topic} -C -X isolation.level=read_committed -f '%h\\n'")?;
        writeln!(output)
    }
}

impl Scheme {
    /// The scheme of a port with or without TLS.
    pub(super) const fn of(has_tls: bool) -> Self {
        if has_tls { Self::Https } else { Self::Http }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

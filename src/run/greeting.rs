//! What the service says once it listens: where, and in development how to call it.

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::config::{Config, Mode};

/// Where everything is.
#[derive(Debug)]
pub(super) struct Addresses {
    /// gRPC and REST.
    pub(super) public: SocketAddr,
    /// Health and metrics.
    pub(super) private: SocketAddr,
    /// Kafka.
    pub(super) broker: String,
}

/// Prints the addresses, and in development lines to paste.
pub(super) fn print(output: &mut impl Write, config: &Config, addresses: &Addresses) {
    // A service whose output is closed serves all the same.
    let _ = write(output, config, addresses);
}

fn write(output: &mut impl Write, config: &Config, addresses: &Addresses) -> io::Result<()> {
    let Addresses { public, private, broker } = addresses;
    let topic = &config.kafka.topic;
    let is_embedded = config.kafka.brokers().is_none();
    if config.mode == Mode::Development {
        writeln!(output, "create a request over REST:")?;
        writeln!(
            output,
            "  curl -i http://{public}/CertificateManagement/api/v1.0/requests -H 'Content-Type: application/json' \
             -d '{{\"datacollection\":\"[]\",\"type\":\"Enroll\",\"profiletemplateuuid\":\
             \"a039b4d0-5ce8-4eff-8651-181c6576fda3\",\"comment\":\"\"}}'"
        )?;
        writeln!(output, "list requests over gRPC:")?;
        writeln!(output, "  grpcurl -plaintext {public} cmgate.v1.RequestService/GetRequests")?;
        writeln!(output, "read the events from Kafka:")?;
        writeln!(output, "  kcat -b {broker} -t {topic} -C -X isolation.level=read_committed -f '%h\\n'")?;
        writeln!(output)?;
    }
    let note = if is_embedded { " (test broker in this process; it keeps nothing)" } else { "" };
    writeln!(output, "Kafka: {broker}, topic {topic}{note}")?;
    writeln!(output, "gRPC and REST: http://{public}")?;
    writeln!(output, "health and metrics: http://{private}")?;
    output.flush()
}

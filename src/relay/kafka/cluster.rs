//! The settings of `crates/fence` that follow from the properties of librdkafka. A property without an equivalent is refused.

use std::fs;
use std::sync::Arc;

use cmgate_fence::{Address, ClusterSettings, Compression, Sasl, ScramHash, TlsIdentity, TlsSettings};
use secrecy::{ExposeSecret, SecretString};

use super::KafkaSettings;
use super::client_metrics::ClientMetrics;
use super::property::PropertyError;

/// What the properties say, by their names.
#[derive(Default)]
struct Properties<'a> {
    protocol: Option<&'a SecretString>,
    mechanism: Option<&'a SecretString>,
    username: Option<&'a SecretString>,
    password: Option<&'a SecretString>,
    authorities: Option<Pem<'a>>,
    certificates: Option<Pem<'a>>,
    key: Option<Pem<'a>>,
    compression: Option<&'a SecretString>,
}

/// PEM, or the file that has it.
enum Pem<'a> {
    Text(&'a SecretString),
    File(&'static str, &'a SecretString),
}

impl Pem<'_> {
    fn read(&self) -> Result<String, PropertyError> {
        match self {
            Self::Text(text) => Ok(text.expose_secret().to_owned()),
            Self::File(name, path) => fs::read_to_string(path.expose_secret())
                .map_err(|error| PropertyError::new(format!("the file of {name:?} cannot be read: {error}"))),
        }
    }
}

impl KafkaSettings {
    /// The settings of the fenced publisher.
    ///
    /// # Errors
    /// The property that it does not support, or whose value it cannot use.
    pub(super) fn cluster(&self) -> Result<(ClusterSettings, Compression), PropertyError> {
        let properties = self.supported()?;
        let wrong = |name: &str, expected: &str| PropertyError::new(format!("{name:?} must be {expected}"));
        let bootstrap = self.brokers.split(',').map(str::parse::<Address>).collect::<Result<_, _>>();
        let bootstrap =
            bootstrap.map_err(|problem| PropertyError::new(format!("kafka.brokers cannot be used: {problem}")))?;
        let (has_tls, has_sasl) = match lower(properties.protocol).as_deref() {
            None | Some("plaintext") => (false, false),
            Some("ssl") => (true, false),
            Some("sasl_plaintext") => (false, true),
            Some("sasl_ssl") => (true, true),
            Some(_) => return Err(wrong("security.protocol", "plaintext, ssl, sasl_plaintext or sasl_ssl")),
        };
        let compression = match lower(properties.compression).as_deref() {
            None | Some("none") => Compression::None,
            Some("lz4") => Compression::Lz4,
            Some(_) => return Err(wrong("compression.type", "none or lz4 with kafka.publish = \"fenced\"")),
        };
        let mut settings = ClusterSettings::new(bootstrap);
        settings.connect_timeout = Self::CALL_TIMEOUT;
        settings.request_timeout = self.commit_timeout();
        settings.observer = Some(Arc::new(ClientMetrics));
        if has_tls {
            let identity = match (&properties.certificates, &properties.key) {
                (Some(certificates), Some(key)) => {
                    Some(TlsIdentity { certificates: certificates.read()?, key: key.read()?.into() })
                }
                (None, None) => None,
                _ => return Err(wrong("ssl.certificate.location", "set together with \"ssl.key.location\"")),
            };
            let authorities = properties.authorities.as_ref().map(Pem::read).transpose()?;
            settings.tls = Some(TlsSettings { authorities, identity });
        }
        if has_sasl {
            let username = properties.username.ok_or_else(|| wrong("sasl.username", "set"))?;
            let username = username.expose_secret().to_owned();
            let password = properties.password.ok_or_else(|| wrong("sasl.password", "set"))?.clone();
            settings.sasl = Some(match lower(properties.mechanism).as_deref() {
                Some("plain") => Sasl::Plain { username, password },
                Some("scram-sha-256") => Sasl::Scram { hash: ScramHash::Sha256, username, password },
                Some("scram-sha-512") => Sasl::Scram { hash: ScramHash::Sha512, username, password },
                _ => return Err(wrong("sasl.mechanism", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")),
            });
        }
        Ok((settings, compression))
    }

    fn supported(&self) -> Result<Properties<'_>, PropertyError> {
        let mut found = Properties::default();
        for (name, value) in &self.properties {
            match name.as_str() {
                "security.protocol" => found.protocol = Some(value),
                "sasl.mechanism" | "sasl.mechanisms" => found.mechanism = Some(value),
                "sasl.username" => found.username = Some(value),
                "sasl.password" => found.password = Some(value),
                "ssl.ca.location" => found.authorities = Some(Pem::File("ssl.ca.location", value)),
                "ssl.ca.pem" => found.authorities = Some(Pem::Text(value)),
                "ssl.certificate.location" => found.certificates = Some(Pem::File("ssl.certificate.location", value)),
                "ssl.certificate.pem" => found.certificates = Some(Pem::Text(value)),
                "ssl.key.location" => found.key = Some(Pem::File("ssl.key.location", value)),
                "ssl.key.pem" => found.key = Some(Pem::Text(value)),
                "compression.type" | "compression.codec" => found.compression = Some(value),
                _ => {
                    return Err(PropertyError::new(format!(
                        "{name:?} is not supported with kafka.publish = \"fenced\"; remove it, or set kafka.publish to \
                         \"transactions\" before the first start"
                    )));
                }
            }
        }
        Ok(found)
    }
}

fn lower(value: Option<&SecretString>) -> Option<String> {
    value.map(|value| value.expose_secret().to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::ShardCount;
    use crate::store::Publishing;

    fn settings(properties: &[(&str, &str)]) -> KafkaSettings {
        KafkaSettings {
            brokers: "broker-1:9092,broker-2:9093".to_owned(),
            topic: "events".to_owned(),
            partitions: ShardCount::new(8).unwrap(),
            replication_factor: 1,
            source: "/cmgate".to_owned(),
            publishing: Publishing::Fenced,
            transaction_timeout: Duration::from_secs(10),
            is_volatile: false,
            properties: properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        }
    }

    #[test]
    fn the_properties_of_librdkafka_are_those_of_the_own_client() {
        let (plain, compression) = settings(&[]).cluster().unwrap();
        let brokers: Vec<String> = plain.bootstrap.iter().map(ToString::to_string).collect();
        assert_eq!(brokers, ["broker-1:9092", "broker-2:9093"]);
        assert!(plain.tls.is_none() && plain.sasl.is_none() && compression == Compression::None);

        let user = [("sasl.username", "cmgate"), ("sasl.password", "secret")];
        for (mechanism, name) in
            [("PLAIN", "PLAIN"), ("scram-sha-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")]
        {
            let mut all = vec![("security.protocol", "SASL_SSL"), ("sasl.mechanism", mechanism), ("ssl.ca.pem", "ca")];
            all.extend(user);
            let (found, _) = settings(&all).cluster().unwrap();
            assert_eq!(found.sasl.unwrap().mechanism(), name);
            assert_eq!(found.tls.unwrap().authorities.as_deref(), Some("ca"));
        }
        assert_eq!(settings(&[("compression.type", "lz4")]).cluster().unwrap().1, Compression::Lz4);
    }

    #[test]
    fn a_property_without_an_equivalent_is_refused_by_its_name() {
        for (properties, named) in [
            (&[("linger.ms", "5")][..], "linger.ms"),
            (&[("security.protocol", "secret")][..], "security.protocol"),
            (&[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN")][..], "sasl.username"),
            (
                &[
                    ("security.protocol", "sasl_plaintext"),
                    ("sasl.mechanism", "OAUTHBEARER"),
                    ("sasl.username", "cmgate"),
                    ("sasl.password", "secret"),
                ][..],
                "sasl.mechanism",
            ),
            (&[("compression.type", "secret")][..], "compression.type"),
            (&[("security.protocol", "ssl"), ("ssl.ca.location", "/does/not/exist")][..], "ssl.ca.location"),
        ] {
            let refused = settings(properties).cluster().unwrap_err().to_string();
            assert!(refused.contains(named) && !refused.contains("secret"), "{refused}");
        }
    }
}

//! `[auth.negotiate]`: Kerberos tickets of Windows callers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::List;
use super::super::error::{Invalid, require};
use super::super::setting::{self, Setting};

/// `[auth.negotiate]`: Kerberos tickets of Windows callers, over HTTP/1.1. Needs a build with the feature `negotiate`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NegotiateEntry {
    /// File with the keys of the principals `HTTP/host@REALM`, one for each name in a URL of the service.
    #[serde(with = "setting")]
    pub keytab: PathBuf,
    /// File in which the processes of this machine remember used tickets. It must survive a restart.
    #[serde(with = "setting")]
    pub replay_cache: PathBuf,
    /// Whether tickets must be bound to the TLS connection. Default: `when-sent`.
    #[serde(default = "default_channel_binding", with = "setting")]
    pub channel_binding: ChannelBinding,
    /// Realms whose users are accepted, in their exact spelling. Default: those of the keytab.
    #[serde(default)]
    pub realms: List,
}

/// Whether tickets must be bound to the TLS connection (RFC 5929).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `off`: bindings are not compared.
    Off,
    /// `when-sent`: a binding that the client sends must be right.
    WhenSent,
    /// `required`: the client must send the right binding.
    Required,
}

const fn default_channel_binding() -> ChannelBinding {
    ChannelBinding::WhenSent
}

impl NegotiateEntry {
    /// Its name among the entries, a part of the identity of its callers.
    pub const NAME: &str = "negotiate";

    pub(super) fn check(&self) -> Result<(), Invalid> {
        self.realms.check("auth.negotiate.realms")?;
        let is_file_of_its_own = self.keytab != self.replay_cache;
        require(is_file_of_its_own, "auth.negotiate.replay_cache", "must differ from auth.negotiate.keytab")
    }
}

impl Setting for ChannelBinding {
    const EXPECTED: &'static str = "\"off\", \"when-sent\" or \"required\"";

    fn read(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "when-sent" => Some(Self::WhenSent),
            "required" => Some(Self::Required),
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Off => "off",
            Self::WhenSent => "when-sent",
            Self::Required => "required",
        }
        .to_owned()
    }
}

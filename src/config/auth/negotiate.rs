//! `[auth.negotiate]`: Kerberos tickets of Windows callers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::error::{Invalid, require};
use super::super::setting::{self, Setting};
use super::super::{CallerLimits, List};
use crate::runtime::tls::ChannelBinding;

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
    /// Whether tickets must be bound to the TLS connection (RFC 5929): `off`, bindings are not compared; `when-sent`, a binding that
    /// the client sends must be right; `required`, the client must send it, which needs `tls.certificate`. Default: `when-sent`.
    #[serde(default = "default_channel_binding", with = "setting")]
    pub channel_binding: ChannelBinding,
    /// Realms whose users are accepted, in their exact spelling. Default: those of the keytab.
    #[serde(default)]
    pub realms: List,
    /// Limits on each caller of the entry. Default: those of `[limits.caller]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<CallerLimits>,
}

const fn default_channel_binding() -> ChannelBinding {
    ChannelBinding::WhenSent
}

impl NegotiateEntry {
    /// Its name among the entries, a part of the identity of its callers.
    pub const NAME: &str = "negotiate";

    /// `has_tls` says whether the port has TLS, without which a ticket is not bound to the connection.
    pub(super) fn check(&self, has_tls: bool) -> Result<(), Invalid> {
        self.realms.check("auth.negotiate.realms")?;
        let is_file_of_its_own = self.keytab != self.replay_cache;
        require(is_file_of_its_own, "auth.negotiate.replay_cache", "must differ from auth.negotiate.keytab")?;
        let is_possible = has_tls || self.channel_binding != ChannelBinding::Required;
        let problem =
            "must not be \"required\" without tls.certificate: a ticket cannot be bound to a connection without TLS";
        require(is_possible, "auth.negotiate.channel_binding", problem)?;
        CallerLimits::check_of_entry(self.limits.as_ref(), |name| format!("auth.negotiate.{name}"))
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

//! `[development]` and `[service]`: the caller of the development mode, and the service's own account.

use serde::{Deserialize, Serialize};
use uuid::uuid;

use super::error::{Invalid, require};
use super::setting::{self, Setting};
use crate::domain::{Principal, Sid, UserId};

/// `[development]`: the caller of the development mode. The defaults are those of the documented examples.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Development {
    /// Its id. Default: `8f1590dc-d932-4b66-8e68-2e91c5880780`.
    #[serde(with = "setting")]
    pub user: UserId,
    /// Its name. Default: `dev`.
    #[serde(with = "setting")]
    pub name: String,
    /// Its security identifier. Default: `S-1-5-21-2127521184-1604012920-1887927527-14995557`.
    #[serde(with = "setting")]
    pub sid: Sid,
}

impl Default for Development {
    fn default() -> Self {
        Self {
            user: UserId::new(uuid!("8f1590dc-d932-4b66-8e68-2e91c5880780")),
            name: "dev".to_owned(),
            sid: documented_sid(14_995_557),
        }
    }
}

impl Development {
    /// Longest name, in characters.
    const MAX_NAME_CHARS: usize = 256;

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let is_valid = !self.name.trim().is_empty()
            && self.name.chars().count() <= Self::MAX_NAME_CHARS
            && !self.name.chars().any(char::is_control);
        let problem = format!("must be 1 to {} characters", Self::MAX_NAME_CHARS);
        require(is_valid, "development.name", problem)
    }
}

/// `[service]`: the service's own account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Security identifier of the account, which owns the security descriptor of every request. Default: that of the
    /// documented examples, `S-1-5-21-2127521184-1604012920-1887927527-14134865`.
    #[serde(with = "setting")]
    pub sid: Sid,
    /// Who may import profiles, smart cards and users: UUIDs of users and SIDs of accounts or groups, separated by commas. The user
    /// of `[development]` is included as long as callers need no proof. Default: nobody.
    #[serde(with = "setting")]
    pub administrators: Administrators,
}

impl Default for Service {
    fn default() -> Self {
        Self { sid: documented_sid(14_134_865), administrators: Administrators::default() }
    }
}

/// The administrators of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Administrators(pub Vec<Principal>);

impl Setting for Administrators {
    const EXPECTED: &'static str = "UUIDs of users and SIDs (S-1-...), separated by commas";

    fn read(text: &str) -> Option<Self> {
        let named = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        named.map(|name| Principal::try_from(name.to_owned()).ok()).collect::<Option<_>>().map(Self)
    }

    fn write(&self) -> String {
        self.0.iter().map(Principal::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// An account of the domain of the documented examples.
#[expect(clippy::expect_used, reason = "a constant domain with any u32 is a SID; the tests read the defaults")]
fn documented_sid(account: u32) -> Sid {
    Sid::parse(&format!("S-1-5-21-2127521184-1604012920-1887927527-{account}")).expect("a SID with 5 sub-authorities")
}

//! Security identifiers and the security descriptor of a request, in the text forms of Windows (MS-DTYP 2.4.2, 2.5.1).

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Policy, Principal};

/// A Windows security identifier in text form, for example `S-1-5-21-1-2-3-500`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sid(String);

impl Sid {
    /// Reads `S-1-<authority>-<sub-authority>...` with 1 to 15 sub-authorities (MS-DTYP 2.4.2.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if !parts.next()?.eq_ignore_ascii_case("S") || parts.next()? != "1" {
            return None;
        }
        let authority: u64 = parts.next()?.parse().ok()?;
        let subs: Vec<u32> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
        let valid = authority < 1 << 48 && (1..=15).contains(&subs.len());
        valid.then(|| Self(text.to_ascii_uppercase()))
    }
}

impl TryFrom<String> for Sid {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not a SID (S-1-...)"))
    }
}

impl From<Sid> for String {
    fn from(sid: Sid) -> Self {
        sid.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The descriptor of a new request in SDDL, in the pattern of the documented examples: nobody approves an own request,
/// initiators and the originator may take it back, the target may execute it, everybody may read it. An account whose SID
/// is not known has no entry.
pub(super) fn descriptor(service: &Sid, policy: &Policy, originator: Option<&Sid>, target: Option<&Sid>) -> String {
    let mut sddl = format!("O:{service}D:");
    let mut entry = |kind: &str, rights: &str, sid: &dyn fmt::Display| {
        // Writing to a String cannot fail.
        let _ = write!(sddl, "({kind};;{rights};;;{sid})");
    };
    if let Some(sid) = originator {
        entry("D", "LC", sid);
    }
    if let Some(sid) = target.filter(|sid| Some(*sid) != originator) {
        entry("D", "LC", sid);
    }
    for sid in groups(&policy.initiators) {
        entry("A", "DCSW", sid);
    }
    for sid in groups(&policy.approvers) {
        entry("A", "SWRC", sid);
    }
    entry("A", "RC", &"WD");
    entry("A", "CCDCLCSWSDRC", service);
    if let Some(sid) = originator {
        entry("A", "DCSW", sid);
    }
    if let Some(sid) = target {
        entry("A", "CCDCSW", sid);
    }
    sddl
}

fn groups(principals: &[Principal]) -> impl Iterator<Item = &Sid> {
    principals.iter().filter_map(|principal| match principal {
        Principal::Group(sid) => Some(sid),
        Principal::User(_) => None,
    })
}

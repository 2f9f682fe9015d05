//! The security descriptor of a request in SDDL, the text form of Windows (MS-DTYP 2.5.1).

use std::fmt::{self, Write};

use crate::domain::{Policy, Principal, Sid};

/// The SDDL descriptor of a new request, modeled on the documented examples: nobody approves their own request,
/// initiators and the originator may cancel it, the target may execute it, everyone may read it. An account without a
/// known SID has no entry.
pub(in crate::domain) fn descriptor(
    service: &Sid,
    policy: &Policy,
    originator: Option<&Sid>,
    target: Option<&Sid>,
) -> String {
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

//! Encodes callers as messages of the contract.

use super::encode::time;
use super::v1;
use crate::domain::{Caller, Groups, Proof, ProofMethod, Sid, Upn};

/// Encodes a caller.
#[must_use]
pub fn caller(caller: &Caller) -> v1::Caller {
    let (groups, deny_only_groups) = match &caller.groups {
        Groups::Known(groups) => (texts(groups), Vec::new()),
        Groups::Restricted { groups, deny_only } => (texts(groups), texts(deny_only)),
        Groups::Unknown => (Vec::new(), Vec::new()),
    };
    v1::Caller {
        user: caller.user.to_string(),
        name: caller.name.clone(),
        sid: caller.sid.as_ref().map(Sid::to_string).unwrap_or_default(),
        groups,
        groups_unknown: caller.groups == Groups::Unknown,
        deny_only_groups,
        proof: Some(proof(&caller.proof)),
        upn: caller.upn.as_ref().map(Upn::to_string).unwrap_or_default(),
    }
}

fn texts(groups: &[Sid]) -> Vec<String> {
    groups.iter().map(Sid::to_string).collect()
}

fn proof(proof: &Proof) -> v1::Proof {
    v1::Proof {
        method: method(proof.method).into(),
        entry: proof.entry.as_deref().unwrap_or_default().to_owned(),
        expire_time: proof.expires_at.map(time),
    }
}

const fn method(method: ProofMethod) -> v1::ProofMethod {
    match method {
        ProofMethod::Development => v1::ProofMethod::Development,
        ProofMethod::Token => v1::ProofMethod::Token,
        ProofMethod::Certificate => v1::ProofMethod::Certificate,
        ProofMethod::Kerberos => v1::ProofMethod::Kerberos,
        ProofMethod::Proxy => v1::ProofMethod::Proxy,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::caller;
    use crate::contract::v1;
    use crate::domain::{Caller, Groups, Proof, ProofMethod, Sid, Timestamp, Upn, UserId};

    #[test]
    fn unknown_groups_differ_from_none() {
        let user = UserId::new(Uuid::from_u128(1));
        let none = caller(&Caller::unproven(user, "dev"));
        assert_eq!((none.groups.len(), none.groups_unknown), (0, false));
        let unknown = caller(&Caller { groups: Groups::Unknown, ..Caller::unproven(user, "dev") });
        assert_eq!((unknown.groups.len(), unknown.groups_unknown), (0, true));
    }

    #[test]
    fn every_part_of_a_caller_is_shown() {
        let sid = |text| Sid::parse(text).unwrap();
        let message = caller(&Caller {
            user: UserId::new(Uuid::from_u128(1)),
            name: "Alice".to_owned(),
            sid: Some(sid("S-1-5-21-1-2-3-1105")),
            upn: Upn::parse("Alice@Corp.Test"),
            groups: Groups::Restricted {
                groups: vec![sid("S-1-5-21-1-2-3-513")],
                deny_only: vec![sid("S-1-5-21-1-2-3-512")],
            },
            proof: Proof {
                method: ProofMethod::Token,
                entry: Some(Arc::from("adfs")),
                expires_at: Timestamp::from_micros(1_700_000_000_000_000),
            },
        });
        let expected = v1::Caller {
            user: "00000000-0000-0000-0000-000000000001".to_owned(),
            name: "Alice".to_owned(),
            sid: "S-1-5-21-1-2-3-1105".to_owned(),
            groups: vec!["S-1-5-21-1-2-3-513".to_owned()],
            groups_unknown: false,
            deny_only_groups: vec!["S-1-5-21-1-2-3-512".to_owned()],
            proof: Some(v1::Proof {
                method: v1::ProofMethod::Token.into(),
                entry: "adfs".to_owned(),
                expire_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            }),
            upn: "alice@corp.test".to_owned(),
        };
        assert_eq!(message, expected);
    }
}

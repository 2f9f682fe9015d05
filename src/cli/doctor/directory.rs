//! The directory of users: how many it has, and whether callers need it.

use super::report::{Finding, count};
use crate::http::auth::ProofSettings;
use crate::http::auth::certificate::{Rule, Source};
use crate::store::UserCounts;

const SUBJECT: &str = "directory";

/// What the numbers of users mean for callers with these proofs.
pub(super) fn judge(users: UserCounts, proofs: Option<&ProofSettings>) -> Finding {
    let UserCounts { imported, inactive, learned } = users;
    if imported == 0 && proofs.is_some_and(names_accounts) {
        let text = format!(
            "no user is imported, {} learned: callers known by SID or UPN get derived UUIDs",
            count(learned, "user")
        );
        return Finding::warning(
            SUBJECT,
            text,
            "import the accounts with DirectoryService.ImportUsers before the first call",
        );
    }
    let text = format!(
        "{} imported, {inactive} of them inactive; {} learned",
        count(imported, "user"),
        count(learned, "user")
    );
    Finding::ok(SUBJECT, text)
}

/// Whether a proof names an account by SID or UPN but has no UUID.
fn names_accounts(proofs: &ProofSettings) -> bool {
    let by_account = |rule: &Rule| matches!(rule.source, Source::SidExtension | Source::SidUri | Source::Upn);
    let by_token = proofs.tokens.iter().map(|entry| &entry.issuer.user);
    let mut by_token = by_token.filter(|user| user.uuid.is_none() && (user.sid.is_some() || user.upn.is_some()));
    proofs.negotiate.is_some() || proofs.certificates.0.iter().any(by_account) || by_token.next().is_some()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::report::Level;
    use super::*;
    use crate::http::auth::certificate::{CaFilter, Rules};

    fn rule(source: Source) -> ProofSettings {
        let rule = Rule { name: Arc::from("r"), ca: CaFilter::Any, source, callers: Vec::new() };
        ProofSettings { certificates: Rules(vec![rule]), ..ProofSettings::default() }
    }

    #[test]
    fn accounts_without_an_import_are_reported() {
        let none = UserCounts { imported: 0, inactive: 0, learned: 7 };
        for (proofs, level) in [
            (rule(Source::Upn), Level::Warning),
            (rule(Source::SidExtension), Level::Warning),
            (rule(Source::Dn), Level::Ok),
            (ProofSettings::default(), Level::Ok),
        ] {
            assert_eq!(judge(none, Some(&proofs)).level, level, "{proofs:?}");
        }
        assert_eq!(judge(none, None).level, Level::Ok);
        let some = UserCounts { imported: 2, inactive: 1, learned: 0 };
        let finding = judge(some, Some(&rule(Source::Upn)));
        assert_eq!(
            (finding.level, finding.text.as_str()),
            (Level::Ok, "2 users imported, 1 of them inactive; 0 users learned")
        );
    }
}

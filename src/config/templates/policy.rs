//! Validates a policy: it must be satisfiable, and must respect the rules that MIM CM fixed for some request types.

use std::collections::HashSet;

use super::{Problem, require};
use crate::domain::{
    AgentRule, DataItem, DataItemDefinition, Pattern, Policy, Principal, Provider, RequestType, TemporaryCards,
};

/// Checks a policy; `key` leads to it.
pub(super) fn check(key: &str, kind: RequestType, policy: &Policy) -> Result<(), Problem> {
    check_fixed_rules(key, kind, policy)?;
    let problem = format!("must be at most {}", Policy::MAX_APPROVALS);
    require(policy.approvals_needed <= Policy::MAX_APPROVALS, format!("{key}.approvals_needed"), problem)?;
    let are_all_users = policy.approvers.iter().all(|approver| matches!(approver, Principal::User(_)));
    if are_all_users && !policy.approvers.is_empty() {
        let approvers: HashSet<String> = policy.approvers.iter().map(ToString::to_string).collect();
        let problem = format!("must not exceed the number of approvers, {}", approvers.len());
        require(usize::from(policy.approvals_needed) <= approvers.len(), format!("{key}.approvals_needed"), problem)?;
    }
    require(policy.data_items.len() <= DataItem::MAX_ITEMS, format!("{key}.data_items"), "has too many items")?;
    for (index, item) in policy.data_items.iter().enumerate() {
        check_item(&format!("{key}.data_items[{index}]"), item, &policy.data_items[..index])?;
    }
    Ok(())
}

/// Sources: FIM CM 2010 SDK pages bb468281 (enrollment agent), bb468285 (self-service) and bb468284 (data items).
fn check_fixed_rules(key: &str, kind: RequestType, policy: &Policy) -> Result<(), Problem> {
    let at = |field: &str| format!("{key}.{field}");
    let always = |is: bool| format!("must be {is} for this type of request");
    require(kind.allows_self_service() || !policy.self_service, at("self_service"), always(false))?;
    let agent = policy.enrollment_agent_required;
    match kind.agent() {
        AgentRule::Always => require(agent, at("enrollment_agent_required"), always(true))?,
        AgentRule::Never => require(!agent, at("enrollment_agent_required"), always(false))?,
        AgentRule::ByPolicy => {}
    }
    // The subscriber takes no part when somebody else recovers the keys.
    for (index, item) in policy.data_items.iter().enumerate() {
        let fits = kind.allows_self_service() || item.provider == Provider::CertificateManager;
        let problem = "must be \"certificate_manager\" for this type of request";
        require(fits, at(&format!("data_items[{index}].provider")), problem)?;
    }
    let fits = kind == RequestType::OnlineUpdate || !policy.allow_specify_certificate_template;
    require(fits, at("allow_specify_certificate_template"), "is only allowed for online_update")?;
    let fits = kind == RequestType::TemporaryCardEnroll || policy.temporary_cards == TemporaryCards::default();
    require(fits, at("temporary_cards"), "is only allowed for temporary_card_enroll")
}

fn check_item(key: &str, item: &DataItemDefinition, earlier: &[DataItemDefinition]) -> Result<(), Problem> {
    let name = format!("{key}.name");
    let is_new = !earlier.iter().any(|earlier| DataItem::open(&earlier.name).is_named(&item.name));
    require(is_new, &name, format!("{:?} is a duplicate", item.name))?;
    DataItem::parse("", item.name.as_str(), None)
        .map_err(|_| (name, format!("must be 1 to {} characters", DataItem::MAX_NAME_CHARS)))?;
    let is_readable = item.pattern.as_ref().is_none_or(Pattern::is_valid);
    require(is_readable, format!("{key}.pattern"), "is not a regular expression of the regex crate")
}

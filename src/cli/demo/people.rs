//! The people of the demo. Their groups are those that the template and the configuration of the demo name.

/// Somebody with a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// `sub` of the token, and the name of its file.
    pub(super) subject: &'static str,
    pub(super) name: &'static str,
    pub(super) sid: &'static str,
    /// SIDs of groups.
    pub(super) groups: &'static [&'static str],
    /// What the person may do, for the banner.
    pub(super) role: &'static str,
}

/// Members may approve: `approvers` of the template.
const APPROVERS: &str = "S-1-5-21-1004336348-1177238915-682003330-1501";
/// Members execute requests, `agents` of the template, and administer the service: `service.administrators`.
const OPERATORS: &str = "S-1-5-21-1004336348-1177238915-682003330-1502";

/// A user, an approver and an operator.
pub(super) const PEOPLE: [Person; 3] = [
    Person {
        subject: "alice",
        name: "Alice, a user",
        sid: "S-1-5-21-1004336348-1177238915-682003330-1101",
        groups: &[],
        role: "a user, asks for certificates",
    },
    Person {
        subject: "bob",
        name: "Bob, an approver",
        sid: "S-1-5-21-1004336348-1177238915-682003330-1102",
        groups: &[APPROVERS],
        role: "an approver",
    },
    Person {
        subject: "carol",
        name: "Carol, an operator",
        sid: "S-1-5-21-1004336348-1177238915-682003330-1103",
        groups: &[OPERATORS],
        role: "an operator, starts and completes requests, and administers the service",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_are_those_of_the_template_and_of_the_configuration() {
        assert!(include_str!("template.toml").contains(&format!("approvers = [\"{APPROVERS}\"]")));
        assert!(include_str!("template.toml").contains(&format!("agents = [\"{OPERATORS}\"]")));
        assert!(include_str!("configuration.toml").contains(&format!("administrators = \"{OPERATORS}\"")));
    }
}

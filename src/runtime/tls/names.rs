//! Names of certificates and CRLs for people: in the log, in metrics and in errors.

use x509_parser::x509::X509Name;

/// Longest name, in characters.
const MAX_CHARS: usize = 200;

/// A distinguished name on one line. Strangers choose the names in certificates that are refused, so control characters are
/// replaced and long names are cut.
pub(super) fn shown(name: &X509Name<'_>) -> String {
    let text = name.to_string();
    if text.is_empty() {
        return "(no name)".to_owned();
    }
    text.chars().take(MAX_CHARS).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// Makes equal names distinct: during a rollover two CAs may share a name, and each needs metrics of its own.
pub(super) fn distinct(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for name in names {
        let numbered = (2..).map(|number| format!("{name} #{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !made.contains(name));
        made.push(free.unwrap_or(name));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn equal_names_get_numbers() {
        let names = ["CN=a", "CN=b", "CN=a", "CN=a"].map(str::to_owned);
        assert_eq!(distinct(names), ["CN=a", "CN=b", "CN=a #2", "CN=a #3"]);
    }
}

//! Distinguished names as text (RFC 4514), so that equal names are equal texts.

use std::fmt::Write;

use x509_parser::asn1_rs::ToDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The attribute types with a short name (RFC 4514, 3).
const SHORT_NAMES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// The name in the form of RFC 4514: the last component first, such as `CN=agent,OU=Services,DC=corp,DC=test`. `None` if a value
/// cannot be encoded.
pub(super) fn text_of(name: &X509Name<'_>) -> Option<String> {
    let components: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (index, component) in components.into_iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in component.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            write_attribute(&mut text, attribute)?;
        }
    }
    Some(text)
}

fn write_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Option<()> {
    let oid = attribute.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid).map(|(_, short)| *short);
    match (short, attribute.as_str()) {
        (Some(short), Ok(value)) => {
            text.push_str(short);
            text.push('=');
            escape(text, value);
        }
        // Other types and values that are not text: the DER form in hexadecimal digits (RFC 4514, 2.4).
        (short, _) => {
            text.push_str(short.unwrap_or(&oid));
            text.push_str("=#");
            for byte in attribute.attr_value().to_der_vec().ok()? {
                // Writing to a String cannot fail; so below.
                let _ = write!(text, "{byte:02x}");
            }
        }
    }
    Some(())
}

fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (index, char) in value.chars().enumerate() {
        match char {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', char]),
            '#' if index == 0 => text.push_str("\\#"),
            ' ' if index == 0 || index == last => text.push_str("\\ "),
            control if control.is_ascii_control() => {
                let _ = write!(text, "\\{:02x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
}

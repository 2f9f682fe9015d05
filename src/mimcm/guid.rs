//! Reads GUIDs in the forms of .NET. Answers show them as `Uuid` formats itself: form D, lower case.

use uuid::Uuid;

/// Reads a GUID in one of the forms D (hyphens), N (no hyphens), B (D in braces) or P (D in parentheses), in any case, with
/// optional white space around it; `None` for any other text.
pub(super) fn read(text: &str) -> Option<Uuid> {
    let text = text.trim();
    let bare = unwrap(text, '{', '}').or_else(|| unwrap(text, '(', ')'));
    let is_wrapped = bare.is_some();
    let bare = bare.unwrap_or(text);
    let is_known_form = bare.len() == 36 || (bare.len() == 32 && !is_wrapped);
    // The parser of the uuid crate accepts further forms, all of other lengths.
    if is_known_form { Uuid::try_parse(bare).ok() } else { None }
}

fn unwrap(text: &str, opening: char, closing: char) -> Option<&str> {
    text.strip_prefix(opening)?.strip_suffix(closing)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_form_of_dotnet_is_read() {
        let forms = [
            "17cf063d-e337-4aa9-a822-346554ddd3c9",
            "17CF063D-E337-4AA9-A822-346554DDD3C9",
            "17cf063de3374aa9a822346554ddd3c9",
            "{17cf063d-e337-4aa9-a822-346554ddd3c9}",
            "(17CF063D-e337-4aa9-a822-346554ddd3c9)",
            " \t17cf063d-e337-4aa9-a822-346554ddd3c9 ",
        ];
        for form in forms {
            let read = read(form).map(|guid| guid.to_string());
            assert_eq!(read.as_deref(), Some("17cf063d-e337-4aa9-a822-346554ddd3c9"), "{form:?}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let others = [
            "",
            "17cf063d",
            "17cf063d-e337-4aa9-a822-346554ddd3cg",
            "17cf063d-e337-4aa9-a822346554ddd3c9-",
            "{17cf063d-e337-4aa9-a822-346554ddd3c9",
            "{17cf063d-e337-4aa9-a822-346554ddd3c9)",
            "{17cf063de3374aa9a822346554ddd3c9}",
            "urn:uuid:17cf063d-e337-4aa9-a822-346554ddd3c9",
            "1７cf063d-e337-4aa9-a822-346554ddd3c9",
        ];
        for other in others {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}

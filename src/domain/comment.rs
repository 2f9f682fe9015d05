//! Comments, and the rules that hold for every text of a caller.

use super::Refusal;

/// Text given with a request or a step: at most [`Comment::MAX_CHARS`] characters, no NUL (Postgres cannot store one).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comment(String);

impl Comment {
    /// Longest comment, in characters. The SQL interface of MIM CM kept 256; its REST interface names no limit.
    pub const MAX_CHARS: usize = 4_000;

    /// Checks a comment that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if the text is too long or contains U+0000.
    pub fn parse(field: &str, text: impl Into<String>) -> Result<Self, Refusal> {
        text_within(field, text.into(), Self::MAX_CHARS).map(Self)
    }

    /// A comment that was checked when it was accepted. Stored comments stay readable if the limits become stricter.
    #[must_use]
    pub(crate) const fn unchecked(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the comment is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks a text that arrived in `field`.
pub(super) fn text_within(field: &str, text: String, max_chars: usize) -> Result<String, Refusal> {
    let problem = if text.contains('\0') {
        "must not contain U+0000".to_owned()
    } else if text.chars().nth(max_chars).is_some() {
        format!("must have at most {max_chars} characters")
    } else {
        return Ok(text);
    };
    Err(Refusal::invalid(field, problem))
}

#[cfg(test)]
mod tests {
    use super::Comment;
    use crate::domain::Refusal;

    #[test]
    fn a_comment_is_measured_in_characters() {
        let longest = "ä".repeat(Comment::MAX_CHARS);
        assert_eq!(Comment::parse("comment", longest.as_str()).unwrap().as_str(), longest);
        let refusal = Comment::parse("comment", longest + "ä").unwrap_err();
        assert_eq!(refusal, Refusal::invalid("comment", "must have at most 4000 characters"));
    }

    #[test]
    fn no_comment_holds_a_nul() {
        let expected = Refusal::invalid("comment", "must not contain U+0000");
        assert_eq!(Comment::parse("comment", "a\0b"), Err(expected));
    }
}

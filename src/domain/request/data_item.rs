//! Data items: what a request collects from its parties.

use crate::domain::{Refusal, text_within};

/// A data item of a request: a name and, once delivered, a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataItem {
    name: String,
    value: Option<String>,
}

impl DataItem {
    /// Longest name, in characters.
    pub const MAX_NAME_CHARS: usize = 256;
    /// Longest value, in characters.
    pub const MAX_VALUE_CHARS: usize = 16_000;
    /// Most items that one request can hold.
    pub const MAX_ITEMS: usize = 200;

    /// Checks a data item that arrived in `field`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field, if the name is empty, or name or value are too long or contain U+0000.
    pub fn parse(field: &str, name: impl Into<String>, value: Option<String>) -> Result<Self, Refusal> {
        let name = text_within(&format!("{field}.name"), name.into(), Self::MAX_NAME_CHARS)?;
        if name.is_empty() {
            return Err(Refusal::invalid(format!("{field}.name"), "must not be empty"));
        }
        let value =
            value.map(|value| text_within(&format!("{field}.value"), value, Self::MAX_VALUE_CHARS)).transpose()?;
        Ok(Self { name, value })
    }

    /// An item that was checked when it was accepted. Stored items stay readable if the limits become stricter.
    #[must_use]
    pub(crate) const fn unchecked(name: String, value: Option<String>) -> Self {
        Self { name, value }
    }

    /// Its fields. Stored forms and fingerprints use this, so that a new field does not compile until they cover it.
    #[must_use]
    pub(crate) fn as_parts(&self) -> (&str, Option<&str>) {
        let Self { name, value } = self;
        (name, value.as_deref())
    }

    /// An item that the policy requests and nobody has delivered yet.
    #[must_use]
    pub fn open(name: &str) -> Self {
        Self { name: name.to_owned(), value: None }
    }

    /// The name as first given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, if delivered.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether the item has this name; case-insensitive, as in MIM CM.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}

/// Merges delivered items into existing ones by name: a new value replaces the old one, new names are appended.
///
/// # Errors
/// [`Refusal::Invalid`] on `field`, if a name occurs twice in `delivered` or the request would hold too many items.
pub fn merge_items(field: &str, items: &[DataItem], delivered: &[DataItem]) -> Result<Vec<DataItem>, Refusal> {
    let too_many = || Refusal::invalid(field, format!("a request holds at most {} items", DataItem::MAX_ITEMS));
    // Check the count first: comparing the names below takes quadratic time.
    if delivered.len() > DataItem::MAX_ITEMS {
        return Err(too_many());
    }
    let mut merged = items.to_vec();
    for (index, item) in delivered.iter().enumerate() {
        if delivered[..index].iter().any(|earlier| earlier.is_named(item.name())) {
            return Err(Refusal::invalid(
                format!("{field}[{index}].name"),
                format!("{:?} is given twice", item.name()),
            ));
        }
        match merged.iter_mut().find(|existing| existing.is_named(item.name())) {
            Some(existing) => existing.value.clone_from(&item.value),
            None => merged.push(item.clone()),
        }
    }
    if merged.len() > DataItem::MAX_ITEMS {
        return Err(too_many());
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::{DataItem, merge_items};
    use crate::domain::Refusal;

    #[test]
    fn no_text_holds_a_nul() {
        let expected = |field: &str| Refusal::invalid(field, "must not contain U+0000");
        assert_eq!(DataItem::parse("item", "a\0b", None), Err(expected("item.name")));
        assert_eq!(DataItem::parse("item", "a", Some("\0".to_owned())), Err(expected("item.value")));
    }

    #[test]
    fn an_item_has_a_name_within_limits() {
        let longest = "n".repeat(DataItem::MAX_NAME_CHARS);
        assert_eq!(DataItem::parse("item", longest.as_str(), None).unwrap().name(), longest);
        let refusal = DataItem::parse("item", longest + "n", None).unwrap_err();
        assert_eq!(refusal, Refusal::invalid("item.name", "must have at most 256 characters"));
        assert_eq!(DataItem::parse("item", "", None), Err(Refusal::invalid("item.name", "must not be empty")));
    }

    #[test]
    fn an_item_has_a_value_within_limits() {
        let longest = "v".repeat(DataItem::MAX_VALUE_CHARS);
        assert_eq!(DataItem::parse("item", "n", Some(longest.clone())).unwrap().value(), Some(longest.as_str()));
        let refusal = DataItem::parse("item", "n", Some(longest + "v")).unwrap_err();
        assert_eq!(refusal, Refusal::invalid("item.value", "must have at most 16000 characters"));
    }

    #[test]
    fn an_empty_value_is_not_an_open_item() {
        assert_eq!(item("n", Some("")).value(), Some(""));
        assert_eq!(DataItem::open("n").value(), None);
    }

    #[test]
    fn what_is_delivered_replaces_values_and_adds_names_at_the_end() {
        let items = [item("Straße", Some("old")), item("Room", None)];
        let merged = merge_items("items", &items, &[item("Badge", Some("7")), item("STRASSE", Some("?"))]).unwrap();
        // Case is not regarded; spelling is.
        let expected = [items[0].clone(), items[1].clone(), item("Badge", Some("7")), item("STRASSE", Some("?"))];
        assert_eq!(merged, expected);

        let merged = merge_items("items", &items, &[item("straße", Some("new")), item("ROOM", Some("1"))]).unwrap();
        assert_eq!(merged, [item("Straße", Some("new")), item("Room", Some("1"))]);
    }

    #[test]
    fn a_name_is_delivered_once() {
        let refusal = merge_items("items", &[], &[item("a", None), item("b", None), item("A", None)]).unwrap_err();
        assert_eq!(refusal, Refusal::invalid("items[2].name", "\"A\" is given twice"));
    }

    #[test]
    fn a_request_holds_a_limited_number_of_items() {
        let numbered = |numbers: std::ops::Range<usize>| -> Vec<DataItem> {
            numbers.map(|number| item(&number.to_string(), None)).collect()
        };
        let full = numbered(0..DataItem::MAX_ITEMS);
        assert_eq!(merge_items("items", &full, &full).unwrap(), full);

        let expected = Err(Refusal::invalid("items", "a request holds at most 200 items"));
        assert_eq!(merge_items("items", &full, &[item("one more", None)]), expected);
        assert_eq!(merge_items("items", &[], &numbered(0..DataItem::MAX_ITEMS + 1)), expected);
    }

    #[test]
    fn too_many_items_are_refused_before_their_names_are_compared() {
        let same = vec![item("same", None); DataItem::MAX_ITEMS + 1];
        let expected = Err(Refusal::invalid("items", "a request holds at most 200 items"));
        assert_eq!(merge_items("items", &[], &same), expected);
    }

    fn item(name: &str, value: Option<&str>) -> DataItem {
        DataItem::parse("item", name, value.map(str::to_owned)).unwrap()
    }
}

//! Identifiers, one type each, so that a user can never be passed for a profile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this value.
            #[must_use]
            pub const fn new(value: Uuid) -> Self {
                Self(value)
            }

            /// The value.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id! {
    /// Identifies a request; a UUIDv7 made by the service (RFC 9562).
    RequestId
}
uuid_id! {
    /// Identifies a user; in MIM CM the objectGUID of the directory account.
    UserId
}
uuid_id! {
    /// Identifies a profile template.
    TemplateId
}
uuid_id! {
    /// Identifies a profile: a set of certificates issued together.
    ProfileId
}
uuid_id! {
    /// Identifies a smart card.
    SmartcardId
}
uuid_id! {
    /// Identifies one call, in its answer, in the log and in the errors that a caller reports.
    CorrelationId
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn an_id_is_read_in_every_form_and_written_in_one() {
        let canonical = "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099";
        for text in [
            canonical,
            "A9B4B42C-CC50-4C9B-89D1-BBC0BCD5A099",
            "{a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099}",
            "a9b4b42ccc504c9b89d1bbc0bcd5a099",
        ] {
            let id: RequestId = text.parse().unwrap();
            assert_eq!((id.to_string().as_str(), format!("{id:?}").as_str()), (canonical, canonical), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_id_is_not_read_as_one() {
        for text in
            ["", "a9b4b42c", "a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a09", " a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099", "current"]
        {
            assert!(text.parse::<RequestId>().is_err(), "{text:?}");
        }
    }
}

//! `[rest]`: what the legacy REST API shows.

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require_within};
use super::text;

/// `[rest]`: what the legacy REST API shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rest {
    /// How many U+0000 end the security descriptor of a request, as they did in MIM CM. Default: 0.
    #[serde(deserialize_with = "text::deserialize")]
    pub descriptor_nul_tail: u8,
}

impl Rest {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("rest.descriptor_nul_tail", &self.descriptor_nul_tail, &(0..=64))
    }
}

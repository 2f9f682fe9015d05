//! `[rest]`: compatibility of the legacy REST API.

use serde::{Deserialize, Serialize};

use super::error::{Invalid, require_within};
use super::setting;

/// `[rest]`: compatibility of the legacy REST API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rest {
    /// Number of U+0000 at the end of a request's security descriptor; MIM CM sent some. Default: 0.
    #[serde(deserialize_with = "setting::deserialize")]
    pub descriptor_nul_tail: u8,
}

impl Rest {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        require_within("rest.descriptor_nul_tail", &self.descriptor_nul_tail, &(0..=64))
    }
}

//! The medium of a template: what it issues.

use serde::Deserialize;

/// What a template issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// A profile whose keys are held in software.
    Software,
    /// A smart card, physical or virtual.
    Smartcard,
}

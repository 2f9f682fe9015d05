//! The priority of a request.

use serde::Deserialize;

/// Urgency of a request: 0 comes first, 255 last (a .NET byte in MIM CM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub u8);

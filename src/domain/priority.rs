//! The priority of a request.

use serde::Deserialize;

/// Priority of a request: 0 is the highest, 255 the lowest (a .NET byte in MIM CM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub u8);

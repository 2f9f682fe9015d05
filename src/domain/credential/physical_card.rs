//! The physical card: its serial number and its answer to reset.

use super::{Atr, SerialNumber};

/// A physical smart card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalCard {
    /// The number on the card.
    pub serial_number: SerialNumber,
    /// Its answer to reset; empty if unknown.
    pub atr: Atr,
}

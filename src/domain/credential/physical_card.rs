//! The physical card: its serial number and its answer to reset.

use super::{Atr, CardId};

/// A physical smart card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The number on the card.
    pub card_id: CardId,
    /// Its answer to reset; empty if unknown.
    pub atr: Atr,
}

//! A smart card as a thing: the number that its maker gave it, and what it answers to a reset.

use super::{Atr, CardId};

/// A smart card as a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The id on the card.
    pub card_id: CardId,
    /// Its answer to reset; empty if it was not told.
    pub atr: Atr,
}

//! Rows of profiles and cards to write, in an order that violates no unique index.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::domain::{Credential, Timestamp};

/// Profiles and cards to write. A new one must not replace a row that another batch has added meanwhile.
#[derive(Debug, Default)]
pub struct CredentialRows {
    /// Rows that did not exist.
    pub(super) new: BTreeMap<Uuid, CredentialRow>,
    /// Rows that existed.
    pub(super) changed: BTreeMap<Uuid, CredentialRow>,
    /// Rows that release a serial number or a place on a card. These columns are cleared before any write: a unique index is
    /// checked row by row, and another row may take over the value.
    pub(super) vacated: BTreeSet<Uuid>,
}

/// A profile or card to write.
#[derive(Debug)]
pub(super) struct CredentialRow {
    /// Its state after the batch.
    pub credential: Credential,
    /// Time of its last change in the batch.
    pub at: Timestamp,
}

impl CredentialRows {
    /// Adds a profile or card; `before` is its stored state.
    pub fn add(&mut self, credential: Credential, before: Option<&Credential>, at: Timestamp) {
        let id = credential.id();
        // A row that is new in this batch stays new, however often the batch changes it.
        let Some(before) = before.filter(|_| !self.new.contains_key(&id)) else {
            self.new.insert(id, CredentialRow { credential, at });
            return;
        };
        let gives_up_serial_number =
            before.serial_number_in_use().is_some_and(|had| credential.serial_number_in_use() != Some(had));
        let gives_up_place = before.valid_on().is_some_and(|had| credential.valid_on() != Some(had));
        if gives_up_serial_number || gives_up_place {
            self.vacated.insert(id);
        }
        self.changed.insert(id, CredentialRow { credential, at });
    }

    /// Each profile and card as it will be stored.
    pub fn all(&self) -> impl Iterator<Item = &Credential> {
        self.new.values().chain(self.changed.values()).map(|row| &row.credential)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

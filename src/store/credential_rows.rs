//! Rows of profiles and cards to be written, in an order that no unique index objects to.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::domain::{Credential, Timestamp};

/// Profiles and cards to be written. One that is new must not replace a row that another batch has added meanwhile.
#[derive(Debug, Default)]
pub struct CredentialRows {
    /// Those that did not exist.
    pub(super) new: BTreeMap<Uuid, CredentialRow>,
    /// Those that did.
    pub(super) changed: BTreeMap<Uuid, CredentialRow>,
    /// Rows that give up a serial number or a place on a card. They are emptied before anything is written, since a unique index is
    /// checked row by row and others may take over what they had.
    pub(super) vacated: BTreeSet<Uuid>,
}

/// A profile or card to be written.
#[derive(Debug)]
pub(super) struct CredentialRow {
    /// As it stands from now on.
    pub credential: Credential,
    /// When it changed.
    pub at: Timestamp,
}

impl CredentialRows {
    /// Adds one; `before` is what is known of it.
    pub fn add(&mut self, credential: Credential, before: Option<&Credential>, at: Timestamp) {
        let id = credential.id();
        // What is new within the batch stays new, however often it changes there.
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

    /// Each profile and card as it is to be stored.
    pub fn all(&self) -> impl Iterator<Item = &Credential> {
        self.new.values().chain(self.changed.values()).map(|row| &row.credential)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

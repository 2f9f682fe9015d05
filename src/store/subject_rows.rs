//! Rows of profiles and cards to be written, in an order that no unique index objects to.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::domain::{Subject, Timestamp};

/// Profiles and cards to be written. One that is new must not replace a row that another batch has added meanwhile.
#[derive(Debug, Default)]
pub struct SubjectRows {
    /// Those that did not exist.
    pub(super) new: BTreeMap<Uuid, SubjectRow>,
    /// Those that did.
    pub(super) changed: BTreeMap<Uuid, SubjectRow>,
    /// Rows that give up a card id or a place on a card. They are emptied before anything is written, since a unique index is
    /// checked row by row and others may take over what they had.
    pub(super) vacated: BTreeSet<Uuid>,
}

/// A profile or card to be written.
#[derive(Debug)]
pub(super) struct SubjectRow {
    /// As it stands from now on.
    pub subject: Subject,
    /// When it changed.
    pub at: Timestamp,
}

impl SubjectRows {
    /// Adds one; `before` is what is known of it.
    pub fn add(&mut self, subject: Subject, before: Option<&Subject>, at: Timestamp) {
        let id = subject.id();
        // What is new within the batch stays new, however often it changes there.
        let Some(before) = before.filter(|_| !self.new.contains_key(&id)) else {
            self.new.insert(id, SubjectRow { subject, at });
            return;
        };
        let gives_up_card_id = before.card_id_in_use().is_some_and(|had| subject.card_id_in_use() != Some(had));
        let gives_up_place = before.valid_on().is_some_and(|had| subject.valid_on() != Some(had));
        if gives_up_card_id || gives_up_place {
            self.vacated.insert(id);
        }
        self.changed.insert(id, SubjectRow { subject, at });
    }

    /// Each profile and card as it is to be stored.
    pub fn all(&self) -> impl Iterator<Item = &Subject> {
        self.new.values().chain(self.changed.values()).map(|row| &row.subject)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

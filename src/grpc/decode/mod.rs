//! Messages of the contract as domain values. Everything wrong with a message is told at once, each field under the path
//! that it has in the message.

mod draft;
mod fields;
mod list;
mod step;
mod subject;

#[cfg(test)]
mod tests;

pub(super) use draft::{creation, members};
pub(super) use list::list;
pub(super) use step::{Step, abandon, approve, bind, cancel, change_smartcard, complete, deny, fail, id, start};
pub(super) use subject::{SubjectName, subject_list, subject_name, subjects};

//! Messages of the contract as domain values. Everything wrong with a message is told at once, each field under the path
//! that it has in the message.

mod credential;
mod draft;
mod fields;
mod list;
mod step;

#[cfg(test)]
mod tests;

pub(super) use credential::{CredentialName, credential_list, credential_name, credentials};
pub(super) use draft::{creation, members};
pub(super) use list::list;
pub(super) use step::{Step, abandon, approve, bind, cancel, change_smartcard, complete, deny, fail, id, start};

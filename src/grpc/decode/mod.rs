//! Decodes messages of the contract into domain values. An error lists all invalid fields of a message, each with its path.

mod credential;
mod draft;
mod fields;
mod list;
mod step;
mod user;

#[cfg(test)]
mod tests;

pub(super) use credential::{CredentialName, credential_list, credential_name, credentials};
pub(super) use draft::{creation, members};
pub(super) use list::list;
pub(super) use step::{Step, abandon, approve, bind, cancel, change_smartcard, complete, deny, fail, id, start};
pub(super) use user::{user_list, user_name, users};

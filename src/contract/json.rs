//! The canonical JSON form of messages, generated from the descriptors so that it cannot differ from the contract.

use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::DESCRIPTORS;

/// The JSON form of one type of message. Every field is present, so that scripts need not know the defaults.
#[derive(Clone, Debug)]
pub struct JsonForm(MessageDescriptor);

/// A message that serializes to its JSON form.
#[derive(Clone, Debug)]
pub struct JsonMessage(DynamicMessage);

/// The built-in descriptors do not describe a message.
#[derive(Debug, Error)]
pub enum JsonFormError {
    /// They cannot be parsed.
    #[error("the descriptors of the contract cannot be parsed")]
    Descriptors(#[from] DescriptorError),
    /// They lack the message.
    #[error("the contract has no message {0}")]
    Unknown(&'static str),
}

impl JsonForm {
    /// The form of the message with this full name, such as `cmgate.v1.RequestEvent`.
    ///
    /// # Errors
    /// The built-in descriptors do not describe the message.
    pub fn of(name: &'static str) -> Result<Self, JsonFormError> {
        let pool = DescriptorPool::decode(DESCRIPTORS)?;
        pool.get_message_by_name(name).map(Self).ok_or(JsonFormError::Unknown(name))
    }

    /// The message of this encoding.
    ///
    /// # Errors
    /// The bytes are not an encoded message of the type.
    pub fn message(&self, encoded: &[u8]) -> Result<JsonMessage, prost::DecodeError> {
        DynamicMessage::decode(self.0.clone(), encoded).map(JsonMessage)
    }
}

impl Serialize for JsonMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_with_options(serializer, &SerializeOptions::new().skip_default_fields(false))
    }
}

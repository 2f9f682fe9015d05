//! The public contract: the types generated from `proto/cmgate/v1`, and the encoding of domain values.

mod caller;
mod credential;
mod encode;
mod headroom;
mod json;
mod user;

#[expect(clippy::all, clippy::pedantic, clippy::allow_attributes, reason = "generated; documented in the proto files")]
/// Package `cmgate.v1`.
pub mod v1 {
    tonic::include_proto!("cmgate.v1");
}

/// Descriptors of all proto files, for gRPC reflection and JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/cmgate.descriptors"));

pub use caller::caller;
pub use credential::{credential, credential_ids, credential_status};
pub use encode::{event_type, request, request_type, status, with_position};
pub use headroom::{MAX_EVENT_BYTES, encode_event_within_limits};
pub use json::{JsonForm, JsonFormError, JsonMessage};
pub use user::user;

#[cfg(test)]
mod compatibility;

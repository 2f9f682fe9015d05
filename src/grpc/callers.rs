//! `cmgate.v1.CallerService`: shows callers how the service understands their identity.

use async_trait::async_trait;

use super::{Answer, answer, split};
use crate::contract;
use crate::contract::v1;
use crate::contract::v1::caller_service_server::{CallerService, CallerServiceServer};

/// Limit on the message of a call, which has no fields.
const MESSAGE_BYTES: usize = 4 << 10;

/// Implements `cmgate.v1.CallerService`.
#[derive(Clone, Copy, Debug)]
pub struct Callers;

impl Callers {
    /// The tonic service.
    #[must_use]
    pub fn server() -> CallerServiceServer<Self> {
        CallerServiceServer::new(Self).max_decoding_message_size(MESSAGE_BYTES)
    }
}

#[async_trait]
impl CallerService for Callers {
    async fn who_am_i(&self, request: tonic::Request<v1::WhoAmIRequest>) -> Answer<v1::WhoAmIResponse> {
        let (call, _message) = split(request)?;
        answer(v1::WhoAmIResponse { caller: Some(contract::caller(&call.caller)) })
    }
}

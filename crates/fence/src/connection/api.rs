//! The requests that this client uses, with the versions it speaks.

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiVersionsRequest, CreateTopicsRequest, DescribeConfigsRequest,
    DescribeProducersRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::Request;

/// A request with the versions that this client speaks.
pub(crate) trait Api: Request {
    /// Name in errors.
    const NAME: &'static str;
    /// Oldest version in use.
    const OLDEST: i16;
    /// Newest version in use.
    const NEWEST: i16;

    /// How long the broker wants the client to pause (KIP-219).
    fn throttle_millis(response: &Self::Response) -> i32;
}

macro_rules! api {
    ($($request:ident $oldest:literal $newest:literal $throttle:expr;)*) => {$(
        impl Api for $request {
            const NAME: &'static str = {
                let name = stringify!($request);
                name.split_at(name.len() - "Request".len()).0
            };
            const OLDEST: i16 = $oldest;
            const NEWEST: i16 = $newest;

            fn throttle_millis(response: &Self::Response) -> i32 {
                let throttle: fn(&Self::Response) -> i32 = $throttle;
                throttle(response)
            }
        }
    )*};
}

// AddPartitionsToTxn 4 is for brokers; FindCoordinator 4 asks for many; Fetch 13 names the topic by its id. Produce 13 does, too, so
// that a batch cannot land in another topic of the same name.
// EndTxn 5 would change the epoch: 4 keeps the one of InitProducerId, on all brokers.
api! {
    AddPartitionsToTxnRequest 0 3 |response| response.throttle_time_ms;
    ApiVersionsRequest 0 3 |response| response.throttle_time_ms;
    CreateTopicsRequest 2 7 |response| response.throttle_time_ms;
    DescribeConfigsRequest 1 4 |response| response.throttle_time_ms;
    DescribeProducersRequest 0 0 |response| response.throttle_time_ms;
    EndTxnRequest 0 4 |response| response.throttle_time_ms;
    FetchRequest 4 12 |response| response.throttle_time_ms;
    FindCoordinatorRequest 1 3 |response| response.throttle_time_ms;
    InitProducerIdRequest 0 4 |response| response.throttle_time_ms;
    ListOffsetsRequest 2 7 |response| response.throttle_time_ms;
    MetadataRequest 5 12 |response| response.throttle_time_ms;
    ProduceRequest 5 13 |response| response.throttle_time_ms;
    SaslAuthenticateRequest 0 2 |_| 0;
    SaslHandshakeRequest 1 1 |_| 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_protocol() {
        assert_eq!(AddPartitionsToTxnRequest::NAME, "AddPartitionsToTxn");
        assert_eq!(ProduceRequest::NAME, "Produce");
    }
}

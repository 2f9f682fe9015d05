//! Version negotiation (KIP-511): the newest version of each request that both sides speak.

use std::collections::BTreeMap;

use kafka_protocol::messages::ApiVersionsResponse;

use super::api::Api;
use crate::{Address, Failure};

/// The versions that a broker speaks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    pub(super) fn of(response: &ApiVersionsResponse) -> Self {
        Self(response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect())
    }

    /// The version for a request.
    pub(crate) fn of_api<R: Api>(&self, address: &Address) -> Result<i16, Failure> {
        let unsupported =
            || Failure::Unsupported { address: address.clone(), api: R::NAME, oldest: R::OLDEST, newest: R::NEWEST };
        let (oldest, newest) = *self.0.get(&R::KEY).ok_or_else(unsupported)?;
        let version = newest.min(R::NEWEST);
        if version < R::OLDEST.max(oldest) { Err(unsupported()) } else { Ok(version) }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        ApiVersionsResponse, EndTxnRequest, ProduceRequest, api_versions_response::ApiVersion,
    };
    use kafka_protocol::protocol::Request;

    use super::*;

    #[test]
    fn the_newest_common_version_is_used() {
        let address: Address = "broker:9092".parse().unwrap();
        let versions = |oldest, newest| {
            let api = ApiVersion::default()
                .with_api_key(ProduceRequest::KEY)
                .with_min_version(oldest)
                .with_max_version(newest);
            Versions::of(&ApiVersionsResponse::default().with_api_keys(vec![api]))
        };
        for (oldest, newest, expected) in
            [(0, 13, Some(13)), (11, 20, Some(13)), (0, 7, Some(7)), (14, 20, None), (0, 4, None), (3, -1, None)]
        {
            assert_eq!(
                versions(oldest, newest).of_api::<ProduceRequest>(&address).ok(),
                expected,
                "{oldest} to {newest}"
            );
        }
        assert!(versions(0, 20).of_api::<EndTxnRequest>(&address).is_err(), "the broker did not name it");
    }
}

//! Answers to `Produce` as a broker would send them that does not compare epochs.

use bytes::{Buf, BufMut, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};

/// The version in which the relay and the broker of the tests produce.
const VERSION: i16 = 13;
/// Its version of the header.
const HEADER: i16 = 1;

/// The same answer without refusals of an old epoch.
pub(super) fn report_accepted(message: &[u8]) -> Vec<u8> {
    let mut rest = message;
    rest.advance(4);
    let header = ResponseHeader::decode(&mut rest, HEADER).unwrap();
    let mut response = ProduceResponse::decode(&mut rest, VERSION).unwrap();
    assert!(rest.is_empty(), "{} bytes follow the answer", rest.len());
    for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
        if partition.error_code == ResponseError::InvalidProducerEpoch.code() {
            partition.error_code = 0;
        }
    }
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, HEADER).unwrap();
    response.encode(&mut frame, VERSION).unwrap();
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.to_vec()
}

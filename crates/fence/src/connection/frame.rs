//! Frames: a length of four bytes, a header with a correlation id, and a message.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::api::Api;
use crate::Failure;
use crate::error::malformed;

/// Memory reserved for a response before its bytes arrive.
const FIRST_READ: usize = 64 << 10;

/// Encodes a request with its length.
pub(super) fn encode<R: Api>(
    request: &R,
    version: i16,
    correlation: i32,
    client_id: &StrBytes,
) -> Result<Bytes, Failure> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(client_id.clone()));
    let mut frame = BytesMut::with_capacity(256);
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).map_err(|error| malformed(R::NAME, error))?;
    request.encode(&mut frame, version).map_err(|error| malformed(R::NAME, error))?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| malformed(R::NAME, error))?;
    if let Some(place) = frame.get_mut(..4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame.freeze())
}

/// Decodes a response, of which every byte must be used.
pub(super) fn decode<R: Api>(mut frame: Bytes, version: i16) -> Result<R::Response, Failure> {
    let header_version = <R::Response as HeaderVersion>::header_version(version);
    ResponseHeader::decode(&mut frame, header_version).map_err(|error| malformed(R::NAME, error))?;
    let response = R::Response::decode(&mut frame, version).map_err(|error| malformed(R::NAME, error))?;
    if frame.has_remaining() {
        return Err(malformed(R::NAME, format!("{} bytes follow the response", frame.remaining())));
    }
    Ok(response)
}

/// Reads a frame of at most `limit` bytes; `None` at the end of the stream between two frames.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S, limit: usize) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    let mut filled = 0;
    while filled < length.len() {
        match stream.read(length.get_mut(filled..).unwrap_or_default()).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > limit || length < 4 {
        return Err(io::Error::other(format!("a response of {length} bytes; this client reads 4 to {limit}")));
    }
    // Grows with the bytes that arrive, so that a length alone reserves little.
    let mut frame = BytesMut::with_capacity(length.min(FIRST_READ));
    let mut rest = stream.take(length as u64);
    while frame.len() < length {
        if rest.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(frame.freeze()))
}

/// The correlation id of a response.
pub(super) fn correlation(frame: &Bytes) -> Option<i32> {
    frame.first_chunk().map(|id| i32::from_be_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_is_read_to_its_length_and_no_further() {
        let mut stream: &[u8] = &[0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 4, 9, 9, 9, 9];
        assert_eq!(read(&mut stream, 5).await.unwrap().unwrap().as_ref(), [1, 2, 3, 4, 5]);
        assert_eq!(correlation(&read(&mut stream, 5).await.unwrap().unwrap()), Some(0x0909_0909));
        assert!(read(&mut stream, 5).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_length_outside_the_limits_and_a_cut_frame_are_errors() {
        for bytes in
            [&[0, 0, 0, 6, 1, 1, 1, 1, 1, 1][..], &[0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 3, 1, 1, 1], b"HTTP/1.1 400"]
        {
            assert!(read(&mut &*bytes, 5).await.is_err(), "{bytes:?}");
        }
        for bytes in [&[0, 0][..], &[0, 0, 0, 5, 1, 2]] {
            assert_eq!(read(&mut &*bytes, 5).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{bytes:?}");
        }
    }
}

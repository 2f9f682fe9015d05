//! Compressed request bodies: gRPC messages one by one, REST bodies as a whole.
//!
//! What they decompress to counts against the limit of a message and against the memory budget while it is made.

use std::mem;

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::decoder::{Decoder, Malformed};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Length of the head of a gRPC message: a flag, and the length in four bytes.
const HEAD_BYTES: usize = 5;
/// Flag of a message that is not compressed.
const PLAIN: u8 = 0;
/// Flag of a compressed message.
const COMPRESSED: u8 = 1;

/// Why a body could not be decompressed.
#[derive(Debug, Error)]
pub enum GzipError {
    /// It is not valid gzip.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A message exceeds this limit.
    #[error("the message has more than {0} bytes")]
    TooLarge(usize),
    /// The memory budget is exhausted.
    #[error("the memory budget is exhausted")]
    OverBudget(#[source] BoxError),
}

/// Decompresses the body of one call.
#[derive(Debug)]
pub struct Decompression {
    body: Body,
    /// Limit on what a message decompresses to, in bytes.
    limit: usize,
}

#[derive(Debug)]
enum Body {
    /// A body that is one stream.
    Whole(Decoder),
    /// gRPC messages, each of which has a head and may be a stream.
    Messages(Message),
}

/// A place in a body of gRPC messages.
#[derive(Debug)]
enum Message {
    Head(Vec<u8>),
    Plain { left: usize },
    Compressed { left: usize, decoder: Decoder, message: Vec<u8> },
}

impl Message {
    const NEXT: Self = Self::Head(Vec::new());
}

impl Decompression {
    /// The decompression of a body that is one stream of at most `limit` bytes.
    #[must_use]
    pub fn whole(limit: usize) -> Self {
        Self { body: Body::Whole(Decoder::default()), limit }
    }

    /// The decompression of a body of gRPC messages of at most `limit` bytes each.
    #[must_use]
    pub const fn messages(limit: usize) -> Self {
        Self { body: Body::Messages(Message::NEXT), limit }
    }

    /// Decompresses a piece. `hold` reserves memory for so many bytes of output in progress.
    ///
    /// # Errors
    /// [`GzipError`].
    pub fn decode(
        &mut self,
        mut input: Bytes,
        mut hold: impl FnMut(usize) -> Result<(), BoxError>,
    ) -> Result<Bytes, GzipError> {
        let mut output = Vec::new();
        match &mut self.body {
            Body::Whole(decoder) => {
                // The reader refuses a body beyond the limit, so there is no point in going on.
                while !input.is_empty() && output.len() <= self.limit {
                    decoder.step(&mut input, &mut output)?;
                    hold(output.len()).map_err(GzipError::OverBudget)?;
                }
            }
            Body::Messages(message) => {
                while !input.is_empty() {
                    message.decode(&mut input, &mut output, self.limit, &mut hold)?;
                }
            }
        }
        Ok(output.into())
    }

    /// Checks at the end of the body that it was complete, and returns the rest.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn finish(&mut self) -> Result<Bytes, Malformed> {
        match &mut self.body {
            Body::Whole(decoder) => {
                let mut rest = Vec::new();
                decoder.finish(&mut rest)?;
                Ok(rest.into())
            }
            Body::Messages(Message::Head(head)) if head.is_empty() => Ok(Bytes::new()),
            // The library reports a message that is cut off.
            Body::Messages(Message::Plain { .. }) => Ok(Bytes::new()),
            Body::Messages(Message::Head(_) | Message::Compressed { .. }) => Err(Malformed),
        }
    }
}

impl Message {
    /// Takes bytes of the input, at least one, and appends complete messages and parts of plain ones to the output.
    fn decode(
        &mut self,
        input: &mut Bytes,
        output: &mut Vec<u8>,
        limit: usize,
        hold: &mut impl FnMut(usize) -> Result<(), BoxError>,
    ) -> Result<(), GzipError> {
        match self {
            Self::Head(head) => {
                let part = input.split_to(input.len().min(HEAD_BYTES - head.len()));
                head.extend_from_slice(&part);
                if let Ok(head) = <[u8; HEAD_BYTES]>::try_from(head.as_slice()) {
                    *self = Self::after(head, output, limit)?;
                }
            }
            Self::Plain { left } => {
                let part = input.split_to(input.len().min(*left));
                output.extend_from_slice(&part);
                *left -= part.len();
                if *left == 0 {
                    *self = Self::NEXT;
                }
            }
            Self::Compressed { left, decoder, message } => {
                let mut part = input.slice(..input.len().min(*left));
                let length = part.len();
                decoder.step(&mut part, message)?;
                let taken = length - part.len();
                input.advance(taken);
                *left -= taken;
                if *left == 0 {
                    decoder.finish(message)?;
                }
                if message.len() > limit {
                    return Err(GzipError::TooLarge(limit));
                }
                hold(message.len()).map_err(GzipError::OverBudget)?;
                if *left == 0 {
                    let message = mem::take(message);
                    // The limit of a message is far below 4 GiB.
                    let length = u32::try_from(message.len()).map_err(|_| GzipError::TooLarge(limit))?;
                    output.push(PLAIN);
                    output.extend(length.to_be_bytes());
                    output.extend(message);
                    *self = Self::NEXT;
                }
            }
        }
        Ok(())
    }

    /// The place after a head.
    fn after(head: [u8; HEAD_BYTES], output: &mut Vec<u8>, limit: usize) -> Result<Self, GzipError> {
        let [flag, length @ ..] = head;
        let left = u32::from_be_bytes(length) as usize;
        if flag == COMPRESSED {
            if left > limit {
                return Err(GzipError::TooLarge(limit));
            }
            if left == 0 {
                return Err(Malformed.into());
            }
            return Ok(Self::Compressed { left, decoder: Decoder::default(), message: Vec::new() });
        }
        // The library refuses unknown flags.
        output.extend(head);
        Ok(if left == 0 { Self::NEXT } else { Self::Plain { left } })
    }
}

#[cfg(test)]
mod tests;

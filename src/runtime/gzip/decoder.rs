//! Decompresses gzip (RFC 1952) in small steps, so that a caller can stop before a small input fills the memory.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzDecoder;
use thiserror::Error;

/// Input of one step, in bytes. Deflate expands a byte to 1,032 at most, so a step makes less than a megabyte.
const STEP_BYTES: usize = 512;

/// Decompresses one stream.
#[derive(Debug)]
pub(super) struct Decoder(Box<GzDecoder<Vec<u8>>>);

/// The input is not gzip, is damaged, or is truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the data is not valid gzip")]
pub struct Malformed;

impl Default for Decoder {
    fn default() -> Self {
        Self(Box::new(GzDecoder::new(Vec::new())))
    }
}

impl Decoder {
    /// Takes a step's bytes from the input and appends what they decompress to.
    ///
    /// # Errors
    /// The input is not gzip.
    pub(super) fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>) -> Result<(), Malformed> {
        let step = input.split_to(input.len().min(STEP_BYTES));
        self.0.write_all(&step).map_err(|_| Malformed)?;
        output.append(self.0.get_mut());
        Ok(())
    }

    /// Checks at the end of the input that it was complete, and appends the rest.
    ///
    /// # Errors
    /// The input is incomplete, or its checksum is wrong.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) -> Result<(), Malformed> {
        self.0.try_finish().map_err(|_| Malformed)?;
        output.append(self.0.get_mut());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::{Decoder, Malformed, STEP_BYTES};

    fn compressed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Decompresses an input that arrives in pieces.
    fn decompressed(input: &[u8], piece: usize) -> Result<Vec<u8>, Malformed> {
        let (mut decoder, mut output) = (Decoder::default(), Vec::new());
        for piece in input.chunks(piece) {
            let mut piece = Bytes::copy_from_slice(piece);
            while !piece.is_empty() {
                decoder.step(&mut piece, &mut output)?;
            }
        }
        decoder.finish(&mut output)?;
        Ok(output)
    }

    #[test]
    fn any_input_in_any_pieces_is_restored() {
        let plain: Vec<u8> = (0..100_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes()).collect();
        for plain in [&b""[..], b"a", &plain] {
            for piece in [1, 7, STEP_BYTES, 1 << 20] {
                assert_eq!(decompressed(&compressed(plain), piece).as_deref(), Ok(plain));
            }
        }
    }

    #[test]
    fn a_step_makes_less_than_a_megabyte() {
        let mut bomb = Bytes::from(compressed(&vec![0; 64 << 20]));
        let mut decoder = Decoder::default();
        while !bomb.is_empty() {
            let mut output = Vec::new();
            decoder.step(&mut bomb, &mut output).unwrap();
            assert!(output.len() < 1_000_000, "{}", output.len());
        }
    }

    #[test]
    fn damaged_input_is_refused() {
        let whole = compressed(b"some text, some text");
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        let longer = [whole.as_slice(), b"x"].concat();
        for input in [&b"plain"[..], &whole[..5], &whole[..whole.len() - 1], &changed, &longer, b""] {
            assert_eq!(decompressed(input, 3), Err(Malformed), "{input:?}");
        }
    }
}

//! Variable-length integers with zigzag encoding, as records use them.

use bytes::{Buf, BufMut};

/// The number of bytes of `value`.
pub(super) fn length(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

pub(super) fn put<B: BufMut>(buffer: &mut B, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        buffer.put_u8(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest.to_le_bytes()[0]);
}

/// Reads a number; `None` if it is cut or longer than 64 bits.
pub(super) fn get<B: Buf>(buffer: &mut B) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = buffer.try_get_u8().ok()?;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8_191, 8_192, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(bytes.len(), length(value), "{value}");
            let mut rest = bytes.as_slice();
            assert_eq!((get(&mut rest), rest.len()), (Some(value), 0));
            assert_eq!(get(&mut bytes.get(..bytes.len() - 1).unwrap()), None, "{value} is cut");
        }
        assert_eq!(get(&mut [0x80_u8; 11].as_slice()), None);
        assert_eq!(get(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02_u8].as_slice()), None);
    }
}

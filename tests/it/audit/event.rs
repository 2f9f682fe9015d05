//! Decodes the fields of a `cmgate.v1.RequestEvent` that the auditor judges, by the field numbers of the contract alone: the
//! auditor shares neither generated types nor any other code with the service.

/// An event as the auditor reads it. Enums keep the numbers of the contract; what is absent is 0 or empty, as in proto3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub kind: i32,
    pub request: Option<Request>,
    pub previous_status: i32,
    /// Microseconds since 1970.
    pub time: Option<i64>,
    pub shard: u64,
    pub position: u64,
}

/// The request after the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub id: String,
    pub status: i32,
    pub version: u64,
}

/// One field of a message.
enum Value<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
    /// A fixed-width number; no field that is judged has one.
    Fixed,
}

impl Event {
    /// Decodes an event; `None` if the bytes are no protobuf message or a field has the wrong wire type.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut event = Self::default();
        for_each_field(bytes, |number, value| {
            match (number, value) {
                (1, Value::Varint(number)) => event.kind = enumeration(number)?,
                (2, Value::Bytes(bytes)) => event.request = Some(Request::decode(bytes)?),
                (3, Value::Varint(number)) => event.previous_status = enumeration(number)?,
                (5, Value::Bytes(bytes)) => event.time = Some(timestamp(bytes)?),
                (14, Value::Varint(shard)) => event.shard = shard,
                (15, Value::Varint(position)) => event.position = position,
                (1 | 2 | 3 | 5 | 14 | 15, _) => return None,
                _ => {}
            }
            Some(())
        })?;
        Some(event)
    }

    /// Status of the request after the event; 0 if there is no request.
    pub(crate) fn status(&self) -> i32 {
        self.request.as_ref().map_or(0, |request| request.status)
    }
}

impl Request {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut request = Self::default();
        for_each_field(bytes, |number, value| {
            match (number, value) {
                (1, Value::Bytes(id)) => std::str::from_utf8(id).ok()?.clone_into(&mut request.id),
                (3, Value::Varint(status)) => request.status = enumeration(status)?,
                (22, Value::Varint(version)) => request.version = version,
                (1 | 3 | 22, _) => return None,
                _ => {}
            }
            Some(())
        })?;
        Some(request)
    }
}

/// A `google.protobuf.Timestamp` in microseconds since 1970.
fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for_each_field(bytes, |number, value| {
        match (number, value) {
            (1, Value::Varint(number)) => seconds = number.cast_signed(),
            (2, Value::Varint(number)) => nanos = number.cast_signed(),
            (1 | 2, _) => return None,
            _ => {}
        }
        Some(())
    })?;
    seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000)
}

fn enumeration(number: u64) -> Option<i32> {
    i32::try_from(number.cast_signed()).ok()
}

/// Calls `take` for each field of a message, in order.
fn for_each_field<'b>(mut bytes: &'b [u8], mut take: impl FnMut(u64, Value<'b>) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => split(&mut bytes, 8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(split(&mut bytes, length)?)
            }
            5 => split(&mut bytes, 4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        take(tag >> 3, value)?;
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = split(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn split<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (first, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::{Event, Request};

    /// Written by hand from the wire format, so that it agrees with no encoder by accident.
    const ENCODED: [u8; 27] = [
        0x08, 0x05, // type = 5
        0x12, 0x08, 0x0a, 0x01, b'x', 0x18, 0x03, 0xb0, 0x01,
        0x02, // request { id = "x", status = 3, version = 2 }
        0x18, 0x02, // previous_status = 2
        0x2a, 0x06, 0x08, 0x01, 0x10, 0xd0, 0x86, 0x03, // time { seconds = 1, nanos = 50,000 }
        0x70, 0x07, // shard = 7
        0x78, 0x96, 0x01, // position = 150
    ];

    #[test]
    fn the_judged_fields_are_decoded() {
        let request = Request { id: "x".to_owned(), status: 3, version: 2 };
        let expected = Event {
            kind: 5,
            request: Some(request),
            previous_status: 2,
            time: Some(1_000_050),
            shard: 7,
            position: 150,
        };
        assert_eq!(Event::decode(&ENCODED), Some(expected));
    }

    #[test]
    fn other_fields_are_skipped_and_broken_messages_refused() {
        let others = [0x32, 0x01, b'c', 0xa1, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa5, 0x06, 0, 0, 0, 0];
        assert_eq!(Event::decode(&others), Some(Event::default()));
        for broken in [&ENCODED[..5], &[0x0b], &[0x08], &[0x0a, 0x00], &[0xff; 11]] {
            assert_eq!(Event::decode(broken), None, "{broken:?}");
        }
    }
}

//! Writes `KERB_VALIDATION_INFO` in NDR, wrong ones too.

/// What is written. The fields of a list are null pointers if the list is empty.
#[derive(Clone)]
pub(super) struct Encoder {
    pub(super) has_pointer: bool,
    pub(super) user_id: u32,
    pub(super) primary_group: u32,
    pub(super) groups: Vec<(u32, u32)>,
    pub(super) flags: u32,
    /// Six of the account, two of the domain; `None` is a null pointer.
    pub(super) strings: [Option<&'static str>; 8],
    pub(super) domain: Option<Vec<u8>>,
    pub(super) extra: Vec<(Vec<u8>, u32)>,
    pub(super) resource_domain: Option<Vec<u8>>,
    pub(super) resource: Vec<(u32, u32)>,
    /// Counts in place of those of the three lists.
    pub(super) counts: [Option<u32>; 3],
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            has_pointer: true,
            user_id: 0,
            primary_group: 0,
            groups: Vec::new(),
            flags: 0,
            strings: [Some("alice"), None, None, None, None, None, Some("DC1"), Some("CORP")],
            domain: Some(sid("S-1-5-21-1-2-3")),
            extra: Vec::new(),
            resource_domain: None,
            resource: Vec::new(),
            counts: [None; 3],
        }
    }
}

impl Encoder {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = Body::default();
        body.pointer(self.has_pointer);
        body.bytes.extend([0x11; 48]);
        let (account, domain) = self.strings.split_at(6);
        for text in account {
            body.string_head(*text);
        }
        body.bytes.extend([0; 4]);
        body.u32(self.user_id);
        body.u32(self.primary_group);
        body.list(self.counts[0], self.groups.len());
        body.u32(self.flags);
        body.bytes.extend([0x22; 16]);
        for text in domain {
            body.string_head(*text);
        }
        body.pointer(self.domain.is_some());
        body.bytes.extend([0; 40]);
        body.list(self.counts[1], self.extra.len());
        body.pointer(self.resource_domain.is_some());
        body.list(self.counts[2], self.resource.len());

        for text in account {
            body.string(*text);
        }
        body.rids(&self.groups);
        for text in domain {
            body.string(*text);
        }
        if let Some(sid) = &self.domain {
            body.sid(sid);
        }
        if !self.extra.is_empty() {
            body.u32(u32::try_from(self.extra.len()).unwrap());
        }
        for (_, attributes) in &self.extra {
            body.pointer(true);
            body.u32(*attributes);
        }
        for sid in self.extra.iter().map(|(sid, _)| sid).chain(&self.resource_domain) {
            body.sid(sid);
        }
        body.rids(&self.resource);
        body.with_headers()
    }
}

/// A security identifier in binary (MS-DTYP 2.4.2.2).
pub(super) fn sid(text: &str) -> Vec<u8> {
    let numbers: Vec<u64> = text.split('-').skip(2).map(|part| part.parse().unwrap()).collect();
    let mut bytes = vec![1, u8::try_from(numbers.len() - 1).unwrap()];
    bytes.extend(&numbers[0].to_be_bytes()[2..]);
    for sub in &numbers[1..] {
        bytes.extend(u32::try_from(*sub).unwrap().to_le_bytes());
    }
    bytes
}

#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    pointers: u32,
}

impl Body {
    fn u16(&mut self, value: usize) {
        self.bytes.extend(u16::try_from(value).unwrap().to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.bytes.extend(value.to_le_bytes());
    }

    fn pointer(&mut self, is_set: bool) {
        self.pointers += 4;
        self.u32(if is_set { 0x0002_0000 + self.pointers } else { 0 });
    }

    fn list(&mut self, count: Option<u32>, length: usize) {
        self.u32(count.unwrap_or(u32::try_from(length).unwrap()));
        self.pointer(length > 0);
    }

    fn string_head(&mut self, text: Option<&str>) {
        let length = text.map_or(0, |text| 2 * text.encode_utf16().count());
        self.u16(length);
        self.u16(length);
        self.pointer(text.is_some());
    }

    fn string(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let units: Vec<u16> = text.encode_utf16().collect();
        let count = u32::try_from(units.len()).unwrap();
        for value in [count, 0, count] {
            self.u32(value);
        }
        for unit in units {
            self.u16(usize::from(unit));
        }
    }

    fn rids(&mut self, rids: &[(u32, u32)]) {
        if !rids.is_empty() {
            self.u32(u32::try_from(rids.len()).unwrap());
        }
        for (rid, attributes) in rids {
            self.u32(*rid);
            self.u32(*attributes);
        }
    }

    fn sid(&mut self, sid: &[u8]) {
        self.u32(u32::from(sid[1]));
        self.bytes.extend(sid);
    }

    fn with_headers(self) -> Vec<u8> {
        let mut body = self.bytes;
        body.resize(body.len().next_multiple_of(8), 0);
        let mut bytes = vec![1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc];
        bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }
}

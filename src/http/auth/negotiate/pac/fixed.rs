//! The fixed part of `KERB_VALIDATION_INFO`: numbers, counts, and pointers to what follows.

use super::ndr::Reader;
use super::{MAX_SIDS, PacError};

/// The fixed part of `KERB_VALIDATION_INFO`, as far as it is used.
pub(super) struct Fixed {
    pub(super) user_id: u32,
    pub(super) primary_group: u32,
    pub(super) groups: List,
    pub(super) flags: u32,
    /// The lengths in bytes of the eight strings, `None` for a null pointer.
    pub(super) account_strings: [Option<u16>; 6],
    pub(super) domain_strings: [Option<u16>; 2],
    pub(super) has_domain: bool,
    pub(super) extra: List,
    pub(super) has_resource_domain: bool,
    pub(super) resource: List,
}

/// A count in the fixed part and whether the pointer beside it is set.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) count: u32,
    pub(super) is_set: bool,
}

impl Fixed {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, PacError> {
        reader.skip(48, "LogonTime to PasswordMustChange")?;
        let account_strings = [
            reader.string_length("EffectiveName")?,
            reader.string_length("FullName")?,
            reader.string_length("LogonScript")?,
            reader.string_length("ProfilePath")?,
            reader.string_length("HomeDirectory")?,
            reader.string_length("HomeDirectoryDrive")?,
        ];
        reader.skip(4, "LogonCount and BadPasswordCount")?;
        let user_id = reader.u32("UserId")?;
        let primary_group = reader.u32("PrimaryGroupId")?;
        let groups = List::read(reader, "GroupIds")?;
        let flags = reader.u32("UserFlags")?;
        reader.skip(16, "UserSessionKey")?;
        let domain_strings = [reader.string_length("LogonServer")?, reader.string_length("LogonDomainName")?];
        let has_domain = reader.u32("LogonDomainId")? != 0;
        reader.skip(40, "Reserved1 to Reserved3")?;
        let extra = List::read(reader, "ExtraSids")?;
        let has_resource_domain = reader.u32("ResourceGroupDomainSid")? != 0;
        let resource = List::read(reader, "ResourceGroupIds")?;
        Ok(Self {
            user_id,
            primary_group,
            groups,
            flags,
            account_strings,
            domain_strings,
            has_domain,
            extra,
            has_resource_domain,
            resource,
        })
    }

    /// Refuses counts that no domain controller sends, before anything is read by them.
    pub(super) fn check_sizes(&self) -> Result<(), PacError> {
        let counts = [self.groups.count, self.extra.count, self.resource.count].map(|count| count as usize);
        let sum = counts.into_iter().fold(0, usize::saturating_add);
        if sum > MAX_SIDS { Err(PacError::TooManySids) } else { Ok(()) }
    }
}

impl List {
    fn read(reader: &mut Reader, field: &'static str) -> Result<Self, PacError> {
        let count = reader.u32(field)?;
        let is_set = reader.u32(field)? != 0;
        if count > 0 && !is_set { Err(PacError::Missing(field)) } else { Ok(Self { count, is_set }) }
    }
}

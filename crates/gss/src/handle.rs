//! Handles of the library, released when they are dropped.

use std::ffi::c_void;
use std::{ptr, slice};

use libgssapi_sys::{
    GSS_C_NT_HOSTBASED_SERVICE, gss_OID, gss_OID_desc, gss_OID_set, gss_OID_set_desc, gss_buffer_desc, gss_buffer_t,
    gss_cred_id_t, gss_ctx_id_t, gss_delete_sec_context, gss_import_name, gss_name_t, gss_release_buffer,
    gss_release_cred, gss_release_name,
};

use crate::error::Error;

/// Kerberos 5, 1.2.840.113554.1.2.2 (RFC 4121).
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// SPNEGO, 1.3.6.1.5.5.2 (RFC 4178).
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// A buffer that the library may only read.
pub(crate) fn borrowed(bytes: &[u8]) -> gss_buffer_desc {
    gss_buffer_desc { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast::<c_void>() }
}

/// Defines the owner of a handle that starts as null.
macro_rules! owner {
    ($(#[$attribute:meta])* $owner:ident, $handle:ty, $release:expr) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub(crate) struct $owner($handle);

        impl $owner {
            /// No handle yet.
            pub(crate) const fn none() -> Self {
                Self(ptr::null_mut())
            }

            /// Where the library stores the handle. For one call per value: a second handle would leak the first.
            pub(crate) const fn out(&mut self) -> *mut $handle {
                &raw mut self.0
            }
        }

        impl Drop for $owner {
            fn drop(&mut self) {
                if !self.0.is_null() {
                    let mut minor = 0;
                    // SAFETY: the handle was filled by the library and is released once.
                    let _ = unsafe { $release(&raw mut minor, &raw mut self.0) };
                }
            }
        }
    };
}

owner! {
    /// A credential.
    Credential, gss_cred_id_t, gss_release_cred
}
owner! {
    /// A name.
    Name, gss_name_t, gss_release_name
}
owner! {
    /// A security context.
    Context, gss_ctx_id_t, |minor, context| gss_delete_sec_context(minor, context, ptr::null_mut())
}

// SAFETY: MIT krb5 protects a credential with a lock, and this crate never changes it after it was acquired.
unsafe impl Send for Credential {}
// SAFETY: as above.
unsafe impl Sync for Credential {}

impl Credential {
    /// The handle, for a call that uses it.
    pub(crate) const fn get(&self) -> gss_cred_id_t {
        self.0
    }
}

impl Name {
    /// The handle, for a call that uses it.
    pub(crate) const fn get(&self) -> gss_name_t {
        self.0
    }

    /// The name of a service on every host.
    pub(crate) fn of_service(service: &str) -> Result<Self, Error> {
        let mut name = Self::none();
        let mut text = borrowed(service.as_bytes());
        let mut minor = 0;
        // SAFETY: the library only reads the text, and the static, which it defines, is never written.
        let major = unsafe { gss_import_name(&raw mut minor, &raw mut text, GSS_C_NT_HOSTBASED_SERVICE, name.out()) };
        Error::check(major, minor)?;
        Ok(name)
    }
}

/// A buffer that the library fills.
#[derive(Debug)]
pub(crate) struct Buffer(gss_buffer_desc);

impl Buffer {
    pub(crate) const fn empty() -> Self {
        Self(gss_buffer_desc { length: 0, value: ptr::null_mut() })
    }

    /// Where the library stores the buffer. For one call per value: a second buffer would leak the first.
    pub(crate) const fn out(&mut self) -> gss_buffer_t {
        &raw mut self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.0.value.is_null() || self.0.length == 0 {
            return &[];
        }
        // SAFETY: the library filled the buffer with `length` bytes, which live until it is released on drop.
        unsafe { slice::from_raw_parts(self.0.value.cast(), self.0.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the buffer is empty or was filled by the library, and is released once.
        let _ = unsafe { gss_release_buffer(&raw mut minor, &raw mut self.0) };
    }
}

/// A set of mechanisms over static identifiers, which the library copies.
pub(crate) struct Mechanisms {
    members: [gss_OID_desc; 2],
    set: gss_OID_set_desc,
}

impl Mechanisms {
    pub(crate) fn kerberos() -> Self {
        Self::first(1)
    }

    pub(crate) fn kerberos_and_spnego() -> Self {
        Self::first(2)
    }

    fn first(count: usize) -> Self {
        let set = gss_OID_set_desc { count, elements: ptr::null_mut() };
        Self { members: [mechanism(KERBEROS), mechanism(SPNEGO)], set }
    }

    /// The set. The pointer is valid until this value moves.
    pub(crate) const fn as_set(&mut self) -> gss_OID_set {
        self.set.elements = self.members.as_mut_ptr();
        &raw mut self.set
    }
}

fn mechanism(identifier: &'static [u8]) -> gss_OID_desc {
    gss_OID_desc {
        length: u32::try_from(identifier.len()).unwrap_or_default(),
        elements: identifier.as_ptr().cast_mut().cast::<c_void>(),
    }
}

/// Whether a mechanism that the library reported is Kerberos 5.
pub(crate) fn is_kerberos(mechanism: gss_OID) -> bool {
    if mechanism.is_null() {
        return false;
    }
    // SAFETY: the library reports a pointer to one of its static identifiers, whose length it states.
    unsafe {
        let gss_OID_desc { length, elements } = *mechanism;
        let Ok(length) = usize::try_from(length) else { return false };
        !elements.is_null() && slice::from_raw_parts(elements.cast::<u8>(), length) == KERBEROS
    }
}

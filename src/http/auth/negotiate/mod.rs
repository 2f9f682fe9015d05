//! Kerberos tickets of Windows callers, sent as `Authorization: Negotiate` (RFC 4559).

mod pac;

pub use pac::{LogonInfo, PacError};

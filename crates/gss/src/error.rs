//! Errors of the library: a reason for programs, and the library's own text.

use std::{fmt, ptr};

use libgssapi_sys::{
    _GSS_C_CALLING_ERROR_MASK, _GSS_C_ROUTINE_ERROR_MASK, _GSS_S_BAD_BINDINGS, _GSS_S_BAD_MECH, _GSS_S_CONTINUE_NEEDED,
    _GSS_S_CREDENTIALS_EXPIRED, _GSS_S_DEFECTIVE_TOKEN, _GSS_S_DUPLICATE_TOKEN, _GSS_S_FAILURE, _GSS_S_NO_CRED,
    _GSS_S_UNAVAILABLE, GSS_C_CALLING_ERROR_OFFSET, GSS_C_GSS_CODE, GSS_C_MECH_CODE, GSS_C_ROUTINE_ERROR_OFFSET,
    GSS_S_COMPLETE, OM_uint32, gss_display_status,
};

use crate::handle::Buffer;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    reason: Reason,
    text: String,
}

/// What a program may want to distinguish. Every reason is a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The token asks for another one, as an empty token and an offer without a ticket do.
    Incomplete,
    /// The token offers no Kerberos, as NTLM does.
    Mechanism,
    /// The token is malformed.
    Token,
    /// The ticket was used before.
    Replay,
    /// The ticket is bound to another channel.
    Bindings,
    /// The ticket has expired or is not valid yet.
    Expired,
    /// The clocks of client and service differ too much.
    Clock,
    /// The keytab has no key that decrypts the ticket.
    Key,
    /// The logon information is not authenticated.
    LogonInfo,
    /// The name of the client cannot be shown, or the client is anonymous.
    Name,
    /// The name has no such attribute.
    NoAttribute,
    /// Anything else, such as a replay cache that cannot be written.
    Other,
}

/// Texts of MIT krb5 and their reasons. The library replaces the codes of its mechanisms by numbers in the order in which they occur
/// (`gss_display_status` maps them back), so only the text identifies an error of Kerberos.
const TEXTS: [(&str, Reason); 11] = [
    ("Request is a replay", Reason::Replay),
    ("Clock skew too great", Reason::Clock),
    ("Ticket expired", Reason::Expired),
    ("Ticket not yet valid", Reason::Expired),
    ("keytab", Reason::Key),
    ("key table", Reason::Key),
    ("Key table", Reason::Key),
    ("Cannot decrypt ticket", Reason::Key),
    ("Token header is malformed", Reason::Token),
    ("Decrypt integrity check failed", Reason::Token),
    ("ASN.1", Reason::Token),
];

/// Most texts of one status.
const MAX_TEXTS: usize = 4;

impl Error {
    pub(crate) fn new(reason: Reason, text: &str) -> Self {
        Self { reason, text: text.to_owned() }
    }

    /// Whether a call succeeded, and completely.
    pub(crate) fn check(major: OM_uint32, minor: OM_uint32) -> Result<(), Self> {
        let failed = _GSS_C_CALLING_ERROR_MASK << GSS_C_CALLING_ERROR_OFFSET
            | _GSS_C_ROUTINE_ERROR_MASK << GSS_C_ROUTINE_ERROR_OFFSET;
        if major & (failed | _GSS_S_CONTINUE_NEEDED) == 0 {
            return Ok(());
        }
        let of_mechanism = if minor == 0 { String::new() } else { describe(minor, GSS_C_MECH_CODE) };
        let reason = Reason::of(major, &of_mechanism);
        let text = match routine(major) {
            _GSS_S_FAILURE | _GSS_S_NO_CRED => of_mechanism,
            _ => describe(major, GSS_C_GSS_CODE),
        };
        Err(Self { reason, text })
    }

    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }
}

impl Reason {
    fn of(major: OM_uint32, of_mechanism: &str) -> Self {
        match routine(major) {
            0 if major & _GSS_S_CONTINUE_NEEDED != 0 => Self::Incomplete,
            _GSS_S_BAD_MECH => Self::Mechanism,
            _GSS_S_BAD_BINDINGS => Self::Bindings,
            _GSS_S_CREDENTIALS_EXPIRED => Self::Expired,
            _GSS_S_UNAVAILABLE => Self::NoAttribute,
            _GSS_S_DEFECTIVE_TOKEN => Self::Token,
            _ if major & _GSS_S_DUPLICATE_TOKEN != 0 => Self::Replay,
            _ => TEXTS.iter().find(|(text, _)| of_mechanism.contains(text)).map_or(Self::Other, |(_, reason)| *reason),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// The error of the called routine in a status (RFC 2744, 3.9.1).
const fn routine(major: OM_uint32) -> OM_uint32 {
    major & _GSS_C_ROUTINE_ERROR_MASK << GSS_C_ROUTINE_ERROR_OFFSET
}

/// The library's texts for a status.
fn describe(code: OM_uint32, kind: u32) -> String {
    let mut texts = Vec::new();
    let mut next = 0;
    for _ in 0..MAX_TEXTS {
        let mut text = Buffer::empty();
        let mut minor = 0;
        let kind = i32::try_from(kind).unwrap_or_default();
        // SAFETY: all pointers are to values of this frame, or null where the function allows it.
        let major =
            unsafe { gss_display_status(&raw mut minor, code, kind, ptr::null_mut(), &raw mut next, text.out()) };
        if major != GSS_S_COMPLETE {
            break;
        }
        texts.push(String::from_utf8_lossy(text.bytes()).into_owned());
        if next == 0 {
            break;
        }
    }
    texts.join(": ")
}

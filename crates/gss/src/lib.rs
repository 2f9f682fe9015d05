//! Accepts Kerberos tickets in SPNEGO tokens through MIT krb5: the unsafe calls of `cmgate`, which forbids unsafe code itself.
//!
//! An [`Acceptor`] takes its keys from a keytab and remembers used tickets in a replay cache; neither comes from the environment of
//! the process. Other mechanisms than Kerberos, such as NTLM, are refused even if a plug-in of the library provides them.

mod error;
mod handle;

use std::ffi::CStr;
use std::ptr;

use libgssapi_sys::{
    GSS_C_ACCEPT, GSS_C_ANON_FLAG, GSS_C_CHANNEL_BOUND_FLAG, gss_accept_sec_context, gss_acquire_cred_from,
    gss_buffer_desc, gss_channel_bindings_struct, gss_display_name, gss_get_name_attribute, gss_key_value_element_desc,
    gss_key_value_set_desc, gss_set_neg_mechs,
};

pub use error::{Error, Reason};
use handle::{Buffer, Context, Credential, Mechanisms, Name, borrowed};

/// Attribute of a name that holds `KERB_VALIDATION_INFO` (MS-PAC 2.5) of the ticket.
const LOGON_INFO: &[u8] = b"urn:mspac:logon-info";

/// The keys of a service and its memory of used tickets. Calls may run in parallel.
#[derive(Debug)]
pub struct Acceptor {
    credential: Credential,
}

/// An accepted ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The principal of the client, with its realm: `alice@CORP.TEST`. Special characters are escaped with a backslash.
    pub principal: String,
    /// Seconds until the ticket expires.
    pub seconds_left: u32,
    /// Whether the client bound its ticket to the channel, and the bindings agreed with those of the server.
    pub is_bound: bool,
    /// `KERB_VALIDATION_INFO` of the ticket in NDR, if its signatures were verified; `None` if the ticket has none.
    pub logon_info: Option<Vec<u8>>,
    /// The token that proves the service to the client, which needs it for mutual authentication; empty if there is none.
    pub answer: Vec<u8>,
}

impl Acceptor {
    /// Acquires the credential for every principal of a service, such as `HTTP`, in a keytab (`FILE:/path`), with a replay cache
    /// (`file2:/path`). The keytab is read again for each ticket, so new keys need no new acceptor.
    ///
    /// # Errors
    /// The keytab cannot be read, or it has no key of the service.
    pub fn new(service: &str, keytab: &CStr, replay_cache: &CStr) -> Result<Self, Error> {
        let name = Name::of_service(service)?;
        let mut elements = [(c"keytab", keytab), (c"rcache", replay_cache)]
            .map(|(key, value)| gss_key_value_element_desc { key: key.as_ptr(), value: value.as_ptr() });
        let store = gss_key_value_set_desc { count: 2, elements: elements.as_mut_ptr() };
        let mut credential = Credential::none();
        let mut wanted = Mechanisms::kerberos_and_spnego();
        let mut negotiated = Mechanisms::kerberos();
        let mut minor = 0;
        // SAFETY: all pointers are to values of this frame or null where the function allows it; the library copies the store.
        let major = unsafe {
            gss_acquire_cred_from(
                &raw mut minor,
                name.get(),
                0,
                wanted.as_set(),
                GSS_C_ACCEPT.cast_signed(),
                &raw const store,
                credential.out(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        Error::check(major, minor)?;
        // SAFETY: the credential was acquired above; the library copies the set.
        let major = unsafe { gss_set_neg_mechs(&raw mut minor, credential.get(), negotiated.as_set()) };
        Error::check(major, minor)?;
        Ok(Self { credential })
    }

    /// Judges the first token of a client. A ticket of Kerberos needs no second one, so a token that would need one is refused.
    /// `bindings` are the application data of the channel (RFC 5929). Blocks on files.
    ///
    /// # Errors
    /// The token proves nothing.
    pub fn accept(&self, token: &[u8], bindings: Option<&[u8]>) -> Result<Accepted, Error> {
        let mut channel = gss_channel_bindings_struct {
            initiator_addrtype: 0,
            initiator_address: borrowed(&[]),
            acceptor_addrtype: 0,
            acceptor_address: borrowed(&[]),
            application_data: borrowed(bindings.unwrap_or_default()),
        };
        let channel = if bindings.is_some() { &raw mut channel } else { ptr::null_mut() };
        let mut token: gss_buffer_desc = borrowed(token);
        let mut context = Context::none();
        let mut client = Name::none();
        let mut mechanism = ptr::null_mut();
        let mut answer = Buffer::empty();
        let (mut flags, mut seconds_left, mut minor) = (0, 0, 0);
        // SAFETY: all pointers are to values of this frame or null where the function allows it. The library only reads the token
        // and the bindings. A null pointer in place of the delegated credential makes it drop one that the client sends.
        let major = unsafe {
            gss_accept_sec_context(
                &raw mut minor,
                context.out(),
                self.credential.get(),
                &raw mut token,
                channel,
                client.out(),
                &raw mut mechanism,
                answer.out(),
                &raw mut flags,
                &raw mut seconds_left,
                ptr::null_mut(),
            )
        };
        Error::check(major, minor)?;
        if !handle::is_kerberos(mechanism) {
            return Err(Error::new(Reason::Mechanism, "the negotiated mechanism is not Kerberos"));
        }
        if flags & GSS_C_ANON_FLAG != 0 {
            return Err(Error::new(Reason::Name, "the client is anonymous"));
        }
        Ok(Accepted {
            principal: display(&client)?,
            seconds_left,
            is_bound: flags & GSS_C_CHANNEL_BOUND_FLAG != 0,
            logon_info: logon_info(&client)?,
            answer: answer.bytes().to_vec(),
        })
    }
}

fn display(client: &Name) -> Result<String, Error> {
    let mut text = Buffer::empty();
    let mut minor = 0;
    // SAFETY: the name is one of the library; the buffer is released by its owner.
    let major = unsafe { gss_display_name(&raw mut minor, client.get(), text.out(), ptr::null_mut()) };
    Error::check(major, minor)?;
    String::from_utf8(text.bytes().to_vec())
        .map_err(|_| Error::new(Reason::Name, "the name of the principal is not UTF-8"))
}

/// The verified logon information; `None` if the ticket has none.
fn logon_info(client: &Name) -> Result<Option<Vec<u8>>, Error> {
    let mut attribute = borrowed(LOGON_INFO);
    let mut value = Buffer::empty();
    let mut shown = Buffer::empty();
    // The first value is asked for with -1; the library then says whether there are more.
    let (mut authenticated, mut complete, mut more, mut minor) = (0, 0, -1, 0);
    // SAFETY: the name is one of the library; the library only reads the attribute; both buffers are released by their owners.
    let major = unsafe {
        gss_get_name_attribute(
            &raw mut minor,
            client.get(),
            &raw mut attribute,
            &raw mut authenticated,
            &raw mut complete,
            value.out(),
            shown.out(),
            &raw mut more,
        )
    };
    match Error::check(major, minor) {
        Ok(()) if authenticated == 0 => {
            Err(Error::new(Reason::LogonInfo, "the logon information is not authenticated"))
        }
        Ok(()) => Ok(Some(value.bytes().to_vec())),
        Err(error) if error.reason() == Reason::NoAttribute => Ok(None),
        Err(error) => Err(error),
    }
}

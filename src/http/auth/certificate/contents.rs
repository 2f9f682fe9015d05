//! What a certificate says about its holder: names, and the security identifier that Active Directory adds.

use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::{Error as Asn1Error, FromDer, OctetString, Oid, TaggedExplicit, Utf8String, oid};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::parse_x509_certificate;

use super::distinguished_name;
use super::rejection::CertificateRejection;
use crate::domain::{Sid, Upn};

/// `szOID_NTDS_CA_SECURITY_EXT`: the extension with the SID of the account (MS-WCCE 2.2.2.7.7.4).
const SID_EXTENSION: Oid<'static> = oid!(1.3.6.1.4.1.311.25.2);
/// `szOID_NTDS_OBJECTSID`: the SID within that extension.
const OBJECT_SID: Oid<'static> = oid!(1.3.6.1.4.1.311.25.2.1);
/// `szOID_NT_PRINCIPAL_NAME`: a UPN in the subject alternative name.
const PRINCIPAL_NAME: Oid<'static> = oid!(1.3.6.1.4.1.311.20.2.3);

/// The URI that carries a SID in an offline request (KB5014754, "tag-based URL").
const SID_URI: &str = "tag:microsoft.com,2022-09-14:sid:";

/// The value of an `otherName` (RFC 5280, 4.2.1.6).
type OtherValue<'a, T> = TaggedExplicit<T, Asn1Error, 0>;

/// The names of the holder of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The subject, in the form of RFC 4514.
    pub subject: String,
    /// The URIs in the subject alternative name.
    pub uris: Vec<String>,
    /// The DNS names in the subject alternative name, in lower case.
    pub dns_names: Vec<String>,
    /// The user principal names in the subject alternative name, in the form of [`Upn`], which ignores case.
    pub principal_names: Vec<String>,
    /// The security identifier that AD CS adds for the account that requested the certificate.
    pub sid: Option<Sid>,
    /// The security identifiers in URIs of the subject alternative name.
    pub uri_sids: Vec<Sid>,
    /// SHA-256 of the public key (`SubjectPublicKeyInfo`).
    pub key_hash: [u8; 32],
}

impl Contents {
    /// Reads a certificate in DER form.
    ///
    /// # Errors
    /// A part that a rule may read is malformed, or present twice.
    pub fn read(der: &[u8]) -> Result<Self, CertificateRejection> {
        let malformed = |part| CertificateRejection::Malformed { part };
        let (_, certificate) = parse_x509_certificate(der).map_err(|_| malformed("encoding"))?;
        let subject = distinguished_name::text_of(certificate.subject()).ok_or_else(|| malformed("subject"))?;
        let mut contents = Self {
            subject,
            uris: Vec::new(),
            dns_names: Vec::new(),
            principal_names: Vec::new(),
            sid: sid_of(&certificate).map_err(|Malformed| malformed("SID extension"))?,
            uri_sids: Vec::new(),
            key_hash: Sha256::digest(certificate.public_key().raw).into(),
        };
        contents.read_alternative_names(&certificate).map_err(|Malformed| malformed("subject alternative name"))?;
        Ok(contents)
    }

    fn read_alternative_names(&mut self, certificate: &X509Certificate<'_>) -> Result<(), Malformed> {
        let Some(names) = certificate.subject_alternative_name()? else { return Ok(()) };
        for name in &names.value.general_names {
            match name {
                GeneralName::URI(uri) => {
                    if let Some(sid) = uri.strip_prefix(SID_URI) {
                        self.uri_sids.push(Sid::parse(sid).ok_or(Malformed)?);
                    }
                    self.uris.push((*uri).to_owned());
                }
                GeneralName::DNSName(name) => self.dns_names.push(name.to_ascii_lowercase()),
                GeneralName::OtherName(kind, value) if *kind == PRINCIPAL_NAME => {
                    let (rest, name) = OtherValue::<Utf8String<'_>>::from_der(value)?;
                    let name = name.into_inner();
                    let name = Some(name.as_ref()).filter(|_| rest.is_empty()).ok_or(Malformed)?;
                    // A name that is no user principal name is compared as it is.
                    self.principal_names.push(Upn::parse(name).map_or_else(|| name.to_owned(), |upn| upn.to_string()));
                }
                GeneralName::Invalid(..) => return Err(Malformed),
                GeneralName::OtherName(..)
                | GeneralName::RFC822Name(_)
                | GeneralName::X400Address(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EDIPartyName(_)
                | GeneralName::IPAddress(_)
                | GeneralName::RegisteredID(_) => {}
            }
        }
        Ok(())
    }
}

/// The SID extension: `GeneralNames` with one `otherName`, whose value is the SID as ASCII text in an OCTET STRING.
fn sid_of(certificate: &X509Certificate<'_>) -> Result<Option<Sid>, Malformed> {
    let Some(extension) = certificate.get_extension_unique(&SID_EXTENSION)? else { return Ok(None) };
    let (rest, names) = SubjectAlternativeName::from_der(extension.value)?;
    let [GeneralName::OtherName(kind, value)] = names.general_names.as_slice() else { return Err(Malformed) };
    let (value_rest, sid) = OtherValue::<OctetString<'_>>::from_der(value)?;
    if *kind != OBJECT_SID || !rest.is_empty() || !value_rest.is_empty() {
        return Err(Malformed);
    }
    let sid = sid.into_inner();
    let text = std::str::from_utf8(sid.as_ref()).map_err(|_| Malformed)?;
    Sid::parse(text).map(Some).ok_or(Malformed)
}

/// A value is not what its specification requires.
struct Malformed;

impl From<X509Error> for Malformed {
    fn from(_: X509Error) -> Self {
        Self
    }
}

impl<E> From<x509_parser::nom::Err<E>> for Malformed {
    fn from(_: x509_parser::nom::Err<E>) -> Self {
        Self
    }
}

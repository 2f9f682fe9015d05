//! SPIFFE IDs (SPIFFE-ID specification, 2): the subjects of JWT-SVIDs.

/// Longest SPIFFE ID, in bytes.
const MAX_BYTES: usize = 2048;
/// Longest name of a trust domain, in bytes.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The trust domain of a workload's SPIFFE ID, with its scheme, such as `spiffe://corp.test`; `None` if the text is no such ID.
pub(in crate::http::auth) fn trust_domain(id: &str) -> Option<&str> {
    const SCHEME: &str = "spiffe://";
    let rest = id.strip_prefix(SCHEME).filter(|_| id.len() <= MAX_BYTES)?;
    let (domain, path) = rest.split_once('/')?;
    let is_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    let is_segment = |segment: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
    };
    let is_valid = (1..=MAX_TRUST_DOMAIN_BYTES).contains(&domain.len())
        && domain.bytes().all(is_domain)
        && path.split('/').all(is_segment);
    id.get(..SCHEME.len() + domain.len()).filter(|_| is_valid)
}

#[cfg(test)]
mod tests;

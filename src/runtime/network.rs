//! IP networks in CIDR notation (RFC 4632), to decide which peers a listener accepts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

/// A network such as `10.0.0.0/8`. An address without a prefix length is that one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Networks, separated by commas in text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Why a text is not a list of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// An entry is neither an address nor a network.
    #[error("not an IP network such as 10.0.0.0/8")]
    Malformed,
    /// The address has bits outside the network, which is usually a mistake in the prefix length.
    #[error("the address has bits set beyond its prefix length")]
    HostBits,
    /// The list is too long.
    #[error("more than {} networks", Networks::MAX)]
    TooMany,
}

impl Network {
    /// Whether the network contains an address. An IPv4 address mapped into IPv6, as a dual-stack socket reports it, counts as
    /// the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(bits(address), self.prefix) == bits(self.base)
    }
}

impl Networks {
    /// Maximum number of networks in a list.
    pub const MAX: usize = 64;

    /// Whether one of the networks contains an address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bits of an address, left-aligned.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first `prefix` bits.
fn masked(bits: u128, prefix: u8) -> u128 {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    bits & mask
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| NetworkError::Malformed)?;
        let longest = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` would accept a sign.
            Some(digits) if !digits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(NetworkError::Malformed),
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= longest).ok_or(NetworkError::Malformed)?,
            None => longest,
        };
        if masked(bits(base), prefix) == bits(base) { Ok(Self { base, prefix }) } else { Err(NetworkError::HostBits) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Networks {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let networks: Vec<Network> = entries.map(str::parse).collect::<Result<_, _>>()?;
        if networks.len() > Self::MAX { Err(NetworkError::TooMany) } else { Ok(Self(networks)) }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkError, Networks};

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        let networks: Networks = "10.0.0.0/8, 192.168.7.1,fd00::/8, 2001:db8::/33".parse().unwrap();
        for (address, is_inside) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:11.1.2.3", false),
            ("192.168.7.1", true),
            ("192.168.7.2", false),
            ("fdff::1", true),
            ("fe00::", false),
            ("2001:db8:7fff::", true),
            ("2001:db8:8000::", false),
            ("::10.0.0.0", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), is_inside, "{address}");
        }
        assert_eq!(networks.to_string(), "10.0.0.0/8, 192.168.7.1/32, fd00::/8, 2001:db8::/33");
        assert_eq!(networks.to_string().parse(), Ok(networks));
    }

    #[test]
    fn the_prefix_of_length_zero_contains_every_address_of_its_family() {
        let every: Networks = "0.0.0.0/0".parse().unwrap();
        assert!(every.contain("255.1.2.3".parse().unwrap()) && !every.contain("::1".parse().unwrap()));
        let none: Networks = "".parse().unwrap();
        assert!(none.is_empty() && !none.contain("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for text in ["10.0.0.0/33", "fd00::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "proxy", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Networks>(), Err(NetworkError::Malformed), "{text}");
        }
        assert_eq!("10.1.0.0/8".parse::<Networks>(), Err(NetworkError::HostBits));
        assert_eq!("10.0.0.1,".repeat(65).parse::<Networks>(), Err(NetworkError::TooMany));
    }
}

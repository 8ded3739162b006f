use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net};

/// The network that an address is counted with: an IPv4 /24 or an IPv6 /64.
///
/// One IPv6 customer holds a whole /64, so counting single IPv6 addresses counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressPrefix {
    /// The first 24 bits.
    V4([u8; 3]),
    /// The first 64 bits.
    V6([u16; 4]),
}

impl AddressPrefix {
    /// The prefix of `address`; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([first, second, third, fourth]) => {
                write!(f, "{}/64", Ipv6Addr::new(first, second, third, fourth, 0, 0, 0, 0))
            }
        }
    }
}

/// The network that an address most likely belongs to: an IPv4 /24 or an IPv6 /48, which is what one site is given (RFC
/// 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SitePrefix {
    /// The first 24 bits.
    V4([u8; 3]),
    /// The first 48 bits.
    V6([u16; 3]),
}

impl SitePrefix {
    /// The prefix of `address`; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match AddressPrefix::of(address) {
            AddressPrefix::V4(octets) => Self::V4(octets),
            AddressPrefix::V6([a, b, c, _]) => Self::V6([a, b, c]),
        }
    }

    /// Its length in bits.
    pub const fn length(self) -> u8 {
        match self {
            Self::V4(_) => 24,
            Self::V6(_) => 48,
        }
    }
}

impl fmt::Display for SitePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4([a, b, c]) => write!(f, "{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([first, second, third]) => {
                write!(f, "{}/48", Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0))
            }
        }
    }
}

/// The network in the form in which addresses are compared: without host bits, and IPv4 where all of it is IPv4-mapped
/// IPv6 (RFC 4291, section 2.5.5.2).
pub fn canonical_network(network: IpNet) -> IpNet {
    let network = network.trunc();
    match (network, network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpNet::V6(_), IpAddr::V4(address), Some(length)) => {
            // INVARIANT: an IPv6 length of 96 to 128 leaves an IPv4 length of 0 to 32.
            Ipv4Net::new(address, length).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_one_form() {
        let cases = [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("2001:db8::1/48", "2001:db8::/48"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("::/0", "::/0"),
        ];
        for (written, expected) in cases {
            assert_eq!(canonical_network(written.parse().unwrap()).to_string(), expected, "{written}");
        }
    }

    #[test]
    fn addresses_share_a_prefix_as_their_networks_do() {
        let prefix = |text: &str| AddressPrefix::of(text.parse().unwrap()).to_string();
        assert_eq!(prefix("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(prefix("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        let site = |text: &str| SitePrefix::of(text.parse().unwrap()).to_string();
        assert_eq!(site("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(site("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48");
    }
}

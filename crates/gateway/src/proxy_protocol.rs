//! The PROXY protocol, versions 1 and 2 (`HAProxy`'s `proxy-protocol.txt`): who a trusted proxy says the client
//! is.
//!
//! Pure and strict: exactly the header is read, what follows belongs to TLS or HTTP. Whether the sender may be
//! believed is not decided here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V1_START: &[u8] = b"PROXY ";
/// The longest version 1 header, line end included.
const V1_MAX: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version, command, family and length of version 2.
const V2_FIXED: usize = 16;
/// The longest version 2 header accepted, with everything a proxy may attach to it.
const V2_MAX: usize = 4096;

/// What the beginning of a connection says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed.
    Incomplete,
    /// A whole header.
    Complete {
        /// The client; `None` if the proxy speaks for itself (`LOCAL`, a health check) or does not know.
        source: Option<SocketAddr>,
        /// The bytes of the header.
        length: usize,
    },
}

/// Why a header is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// It begins like neither version.
    #[error("the connection does not start with a PROXY protocol header")]
    Missing,
    /// A version 1 line that breaks the rules.
    #[error("malformed PROXY protocol version 1 header")]
    Version1,
    /// A version 2 header that breaks the rules.
    #[error("malformed PROXY protocol version 2 header")]
    Version2,
    /// A transport other than TCP.
    #[error("the PROXY protocol header announces a transport other than TCP")]
    Transport,
    /// Longer than any proxy has reason to send.
    #[error("the PROXY protocol header is too long")]
    TooLong,
}

/// Parses the header at the front of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let starts = |signature: &[u8]| {
        let length = signature.len().min(bytes.len());
        bytes[..length] == signature[..length]
    };
    if starts(V2_START) {
        parse_v2(bytes)
    } else if starts(V1_START) {
        parse_v1(bytes)
    } else {
        Err(ProxyHeaderError::Missing)
    }
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let window = &bytes[..bytes.len().min(V1_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if window.len() == V1_MAX { Err(ProxyHeaderError::TooLong) } else { Ok(Parsed::Incomplete) };
    };
    let line = window[..end].strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok());
    let mut words = line.ok_or(ProxyHeaderError::Version1)?.split(' ').skip(1);
    let mut word = || words.next().ok_or(ProxyHeaderError::Version1);
    let complete = |source| Ok(Parsed::Complete { source, length: end + 1 });
    let is_v6 = match word()? {
        "TCP4" => false,
        "TCP6" => true,
        "UNKNOWN" => return complete(None),
        _ => return Err(ProxyHeaderError::Version1),
    };
    let (source, destination) = (v1_address(word()?, is_v6)?, v1_address(word()?, is_v6)?);
    let (source_port, destination_port) = (v1_port(word()?)?, v1_port(word()?)?);
    if words.next().is_some() {
        return Err(ProxyHeaderError::Version1);
    }
    // The destination is checked, not used.
    let _ = (destination, destination_port);
    complete(Some(SocketAddr::new(source, source_port)))
}

fn v1_address(word: &str, is_v6: bool) -> Result<IpAddr, ProxyHeaderError> {
    let address = if is_v6 { word.parse().map(IpAddr::V6) } else { word.parse().map(IpAddr::V4) };
    address.map_err(|_| ProxyHeaderError::Version1)
}

fn v1_port(word: &str) -> Result<u16, ProxyHeaderError> {
    let is_canonical = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| is_canonical).ok_or(ProxyHeaderError::Version1)
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let Some(&[version_command, family, high, low]) = bytes.get(V2_START.len()..V2_FIXED) else {
        return Ok(Parsed::Incomplete);
    };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > V2_MAX {
        return Err(ProxyHeaderError::TooLong);
    }
    let is_local = match version_command {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyHeaderError::Version2),
    };
    let Some(payload) = bytes.get(V2_FIXED..length) else { return Ok(Parsed::Incomplete) };
    let (source, attached) = match family {
        // The receiver of `LOCAL` must not look at the addresses.
        _ if is_local => (None, &[][..]),
        0x00 => (None, &[][..]),
        0x11 => {
            let (&[a, b, c, d, _, _, _, _, high, low, _, _], rest) =
                payload.split_first_chunk::<12>().ok_or(ProxyHeaderError::Version2)?;
            (Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))), rest)
        }
        0x21 => {
            let (address, rest) = payload.split_first_chunk::<16>().ok_or(ProxyHeaderError::Version2)?;
            let (ports, rest) = rest.split_first_chunk::<20>().ok_or(ProxyHeaderError::Version2)?;
            let port = u16::from_be_bytes([ports[16], ports[17]]);
            (Some(SocketAddr::new(Ipv6Addr::from(*address).into(), port)), rest)
        }
        _ => return Err(ProxyHeaderError::Transport),
    };
    check_attached(attached)?;
    Ok(Parsed::Complete { source, length })
}

/// Type, length, value, and nothing left over.
fn check_attached(mut bytes: &[u8]) -> Result<(), ProxyHeaderError> {
    while let Some((&[_, high, low], rest)) = bytes.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        bytes = rest.get(length..).ok_or(ProxyHeaderError::Version2)?;
    }
    if bytes.is_empty() { Ok(()) } else { Err(ProxyHeaderError::Version2) }
}

#[cfg(test)]
mod tests;

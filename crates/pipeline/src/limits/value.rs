//! Who is counted: the value of a rule's dimensions for one request, as bytes.

use std::{
    borrow::Cow,
    io::Write,
    net::{IpAddr, Ipv4Addr},
};

use bartizan_config::Dimension;
use bartizan_model::{AddressPrefix, Principal, PrincipalKind, SitePrefix};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, HOST},
};
use smallvec::SmallVec;

use super::{Facts, method_name};
use crate::route_table::host_name;

/// The value of a header that is there more than once.
const REPEATED: &[u8] = b"(repeated)";

/// The bytes that stand for whoever is counted; most are short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value(SmallVec<[u8; 40]>);

impl Value {
    /// The value of these dimensions, or `None` where the request has none: no organisation, no API key. A header
    /// that is not there counts as an empty one, because a client could leave it out to be counted nowhere.
    pub(crate) fn of(dimensions: &[Dimension], facts: &Facts<'_>) -> Option<Self> {
        let mut value = SmallVec::new();
        match dimensions {
            [one] => write(one, facts, &mut value)?,
            several => {
                for dimension in several {
                    let mut part = SmallVec::<[u8; 40]>::new();
                    write(dimension, facts, &mut part)?;
                    // With its length in front, no part can pretend to be two.
                    append(&mut value, format_args!("{}:", part.len()));
                    value.extend_from_slice(&part);
                    value.push(b',');
                }
            }
        }
        Some(Self(value))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn write(dimension: &Dimension, facts: &Facts<'_>, value: &mut SmallVec<[u8; 40]>) -> Option<()> {
    match dimension {
        Dimension::Address => match facts.address.to_canonical() {
            IpAddr::V4(address) => write_v4(address, value),
            // Whoever has one IPv6 address has 2^64 of them.
            address @ IpAddr::V6(_) => append(value, format_args!("{}", AddressPrefix::of(address))),
        },
        Dimension::Prefix => append(value, format_args!("{}", SitePrefix::of(facts.address))),
        Dimension::User => write_principal(facts.principal?, value),
        Dimension::Organization => {
            value.extend_from_slice(facts.principal?.organization.as_ref()?.as_str().as_bytes());
        }
        Dimension::Key => {
            let principal = facts.principal.filter(|principal| principal.kind == PrincipalKind::ApiKey)?;
            write_principal(principal, value);
        }
        Dimension::Endpoint => {
            for part in [method_name(facts.method), " ", facts.route?] {
                value.extend_from_slice(part.as_bytes());
            }
        }
        Dimension::Route => value.extend_from_slice(facts.route?.as_bytes()),
        Dimension::Header(name) => value.extend_from_slice(&header_value(name, facts.headers)),
        Dimension::Claim(name) => {
            value.extend_from_slice(facts.claims?.get(name.as_str())?.as_bytes());
        }
    }
    Some(())
}

/// As it is written everywhere, in a fraction of the time that formatting takes.
fn write_v4(address: Ipv4Addr, value: &mut SmallVec<[u8; 40]>) {
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            value.push(b'.');
        }
        if octet >= 100 {
            value.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            value.push(b'0' + octet / 10 % 10);
        }
        value.push(b'0' + octet % 10);
    }
}

/// With the provider, because two of them may give the same name to different people.
fn write_principal(principal: &Principal, value: &mut SmallVec<[u8; 40]>) {
    for part in [principal.provider.as_str(), "/", principal.id.as_str()] {
        value.extend_from_slice(part.as_bytes());
    }
}

/// Everybody who writes the header several times has one value together: which of the lines a service goes by is not known
/// here, so with the others anybody could make up new values for the same one. Cookies alone are cut into lines by HTTP/2,
/// which also lets whitespace around a value pass that no service sees behind HTTP/1.1.
pub(super) fn header_value<'h>(name: &HeaderName, headers: &'h HeaderMap) -> Cow<'h, [u8]> {
    let mut lines = headers.get_all(name).iter().map(|line| HeaderValue::as_bytes(line).trim_ascii());
    let first = lines.next().unwrap_or_default();
    let Some(second) = lines.next() else {
        return if *name == HOST { counted_host(first) } else { first.into() };
    };
    if *name != COOKIE {
        return REPEATED.into();
    }
    let all: Vec<_> = [first, second].into_iter().chain(lines).collect();
    all.join(&b"; "[..]).into()
}

/// A host by which requests are routed is one value however it is written: in capitals, with a port, or rooted.
/// What comes of it stays as it is when it is read again.
pub fn counted_host(written: &[u8]) -> Cow<'_, [u8]> {
    let Ok(host) = str::from_utf8(written) else { return written.into() };
    let is_literal = host.starts_with('[');
    let name = if is_literal { host.split_inclusive(']').next().unwrap_or(host) } else { host_name(host) };
    let name = name.as_bytes();
    if name.iter().any(u8::is_ascii_uppercase) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn append(value: &mut SmallVec<[u8; 40]>, text: std::fmt::Arguments<'_>) {
    // INVARIANT: writing to memory does not fail.
    let _ = value.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_line_of_a_header_makes_no_new_value() {
        let of = |name: &HeaderName, lines: &[&'static str]| {
            let lines = lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line)));
            String::from_utf8(header_value(name, &lines.collect()).into_owned()).unwrap()
        };
        let key = HeaderName::from_static("x-api-key");
        assert_eq!((of(&key, &[]), of(&key, &["real"])), (String::new(), "real".into()));
        assert_eq!(of(&key, &["real", "1"]), of(&key, &["2", "real", "3"]));
        assert_eq!(of(&COOKIE, &["a=1; b=2"]), of(&COOKIE, &["a=1", "b=2"]));
    }

    #[test]
    fn a_value_written_in_another_way_is_the_same_value() {
        let value = |name: &HeaderName, written: &'static str| {
            let headers = [(name.clone(), HeaderValue::from_static(written))].into_iter().collect();
            String::from_utf8(header_value(name, &headers).into_owned()).unwrap()
        };
        for written in
            ["shop.test", "SHOP.test", "shop.test.", "Shop.Test:80", "shop.test:8443", "shop.TEST.:80"]
        {
            assert_eq!(value(&HOST, written), "shop.test", "{written}");
        }
        for written in ["[2001:DB8::1]", "[2001:db8::1]:8080"] {
            assert_eq!(value(&HOST, written), "[2001:db8::1]", "{written}");
        }
        let tenant = HeaderName::from_static("x-tenant");
        for written in ["acme", " acme", "acme ", "\tacme \t"] {
            assert_eq!(value(&tenant, written), "acme", "{written:?}");
        }
        assert_eq!(value(&tenant, "Acme:80"), "Acme:80", "what another header says is its service's to read");
    }

    proptest! {
        #[test]
        fn an_address_is_written_as_everywhere(octets: [u8; 4]) {
            let (address, mut value) = (Ipv4Addr::from(octets), SmallVec::new());
            write_v4(address, &mut value);
            let written = address.to_string();
            prop_assert_eq!(&value[..], written.as_bytes());
        }
    }
}

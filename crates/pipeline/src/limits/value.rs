//! Who is counted: the value of a rule's dimensions for one request, as bytes.

use std::{io::Write, net::IpAddr};

use bartizan_config::Dimension;
use bartizan_model::{AddressPrefix, PrincipalKind};
use smallvec::SmallVec;

use super::method_name;
use crate::Exchange;

/// The bytes that stand for whoever is counted; most are short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value(SmallVec<[u8; 40]>);

impl Value {
    /// The value of these dimensions, or `None` where the request has none: no organisation, no API key. A header
    /// that is not there counts as an empty one, because a client could leave it out to be counted nowhere.
    pub(crate) fn of(dimensions: &[Dimension], exchange: &Exchange) -> Option<Self> {
        let mut value = SmallVec::new();
        match dimensions {
            [one] => write(one, exchange, &mut value)?,
            several => {
                for dimension in several {
                    let mut part = SmallVec::<[u8; 40]>::new();
                    write(dimension, exchange, &mut part)?;
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

fn write(dimension: &Dimension, exchange: &Exchange, value: &mut SmallVec<[u8; 40]>) -> Option<()> {
    let identified = exchange.identified.as_ref();
    let principal = || identified.map(|identified| &identified.principal);
    let route = exchange.route.as_ref();
    match dimension {
        Dimension::Address => match exchange.client.address.to_canonical() {
            IpAddr::V4(address) => append(value, format_args!("{address}")),
            // Whoever has one IPv6 address has 2^64 of them.
            address @ IpAddr::V6(_) => append(value, format_args!("{}", AddressPrefix::of(address))),
        },
        Dimension::Prefix => append(value, format_args!("{}", AddressPrefix::of(exchange.client.address))),
        Dimension::User => {
            let principal = principal()?;
            // Two providers may give the same name to different people.
            append(value, format_args!("{}/{}", principal.provider, principal.id));
        }
        Dimension::Organization => append(value, format_args!("{}", principal()?.organization.as_ref()?)),
        Dimension::Key => {
            let principal = principal().filter(|principal| principal.kind == PrincipalKind::ApiKey)?;
            append(value, format_args!("{}/{}", principal.provider, principal.id));
        }
        Dimension::Endpoint => {
            append(value, format_args!("{} {}", method_name(&exchange.head.method), route?.identity));
        }
        Dimension::Route => append(value, format_args!("{}", route?.identity)),
        Dimension::Header(name) => {
            for (place, header) in exchange.head.headers.get_all(name).iter().enumerate() {
                if place > 0 {
                    value.push(b',');
                }
                value.extend_from_slice(header.as_bytes());
            }
        }
        Dimension::Claim(name) => {
            value.extend_from_slice(identified?.claims.get(name.as_str())?.as_bytes());
        }
    }
    Some(())
}

fn append(value: &mut SmallVec<[u8; 40]>, text: std::fmt::Arguments<'_>) {
    // INVARIANT: writing to memory does not fail.
    let _ = value.write_fmt(text);
}

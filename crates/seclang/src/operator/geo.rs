//! `@geoLookup`: whether it is known where an address is.

use std::{net::IpAddr, str, sync::Arc};

use crate::{Location, Locations};

/// An address with a scope has no place; all others are shorter.
const LONGEST: usize = 64;

/// Asks a database.
#[derive(Debug)]
pub(super) struct Lookup(pub(super) Arc<dyn Locations>);

impl Lookup {
    /// Where an address is, if the value is one. An IPv4 address is the same however it is written.
    pub(super) fn locate(&self, value: &[u8]) -> Option<Location> {
        let value = value.trim_ascii();
        let address: IpAddr = str::from_utf8(value).ok().filter(|text| text.len() < LONGEST)?.parse().ok()?;
        self.0.locate(address.to_canonical())
    }
}

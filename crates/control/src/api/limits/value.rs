//! What an operator writes for a value, in the form in which rules count it: an address may be written in several ways,
//! and is counted in one. What a rule can never count is no value of it. Values are bytes; in text they are escaped.
//!
//! The forms are those that the gateway makes of a request (`docs/src/limits.md`); the tests send some to compare.

#[cfg(test)]
mod tests;

use std::{io::Write, net::IpAddr};

use bartizan_config::{Dimension, LimitPolicy, LimitRule};
use bartizan_limits::escaped;
use bartizan_model::{AddressPrefix, Name, SitePrefix};
use bartizan_pipeline::counted_host;
use http::header::HOST;
use ipnet::IpNet;

use crate::{
    api::addresses::prefix::Prefix,
    failure::{Failure, FailureCode},
};

/// The value that a rule which counts by `per` has for what is written; `None` where it can have none.
pub(super) fn counted(per: &[Dimension], written: &[u8]) -> Option<Vec<u8>> {
    match per {
        [one] => part(one, written),
        several => combination(several, written),
    }
}

/// The network from which everybody comes whom a rule that counts by `per` counts by what is written; `None` where it does
/// not count by addresses.
pub(super) fn network_of(per: &[Dimension], written: &[u8]) -> Option<IpNet> {
    let parts = if let [_] = per { vec![written] } else { parts(written, per.len())? };
    let is_network = |dimension: &Dimension| matches!(dimension, Dimension::Address | Dimension::Prefix);
    let parts = per.iter().zip(parts).filter(|(dimension, _)| is_network(dimension));
    parts.filter_map(|(_, part)| network(str::from_utf8(part).ok()?)).max_by_key(IpNet::prefix_len)
}

/// Of the values that the rules may have for what is written, the one that is meant: that of a rule by address, then what
/// is written to the letter. `None` where no rule can have any.
pub(super) fn meant(rules: &[(&LimitPolicy, &LimitRule)], written: &[u8]) -> Option<Vec<u8>> {
    let by_address = rules.iter().find(|(_, rule)| rule.per == [Dimension::Address]);
    let address = by_address.and_then(|(_, rule)| counted(&rule.per, written));
    let values = || rules.iter().filter_map(|(_, rule)| counted(&rule.per, written));
    address.or_else(|| values().find(|value| value == written)).or_else(|| values().next())
}

/// Refuses what no rule can count; without any rule there is nothing to refuse.
pub(super) fn check(rules: &[(&LimitPolicy, &LimitRule)], written: &[u8]) -> Result<(), Failure> {
    let is_possible = rules.is_empty() || meant(rules, written).is_some();
    if is_possible { Ok(()) } else { Err(impossible(rules, written)) }
}

/// No rule can have this value.
pub(super) fn impossible(rules: &[(&LimitPolicy, &LimitRule)], written: &[u8]) -> Failure {
    let written = escaped(written);
    let mut forms: Vec<&str> = Vec::new();
    for (_, rule) in rules {
        let form = form(&rule.per);
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    let detail = if forms.is_empty() {
        format!("`{written}` may stand in any client's header: say which policy does not count it")
    } else {
        format!("`{written}` is no value of these rules: write {}", forms.join(", or "))
    };
    Failure::new(FailureCode::InvalidValue, detail)
}

fn part(dimension: &Dimension, written: &[u8]) -> Option<Vec<u8>> {
    let text = || str::from_utf8(written).ok();
    match dimension {
        Dimension::Address => match network(text()?)? {
            IpNet::V4(network) => (network.prefix_len() == 32).then(|| network.addr().to_string().into()),
            network @ IpNet::V6(_) => {
                let counted = AddressPrefix::of(network.addr());
                [64, 128].contains(&network.prefix_len()).then(|| counted.to_string().into())
            }
        },
        Dimension::Prefix => site(network(text()?)?).map(String::into_bytes),
        Dimension::User | Dimension::Key => {
            let (provider, id) = text()?.split_once('/')?;
            (provider.parse::<Name>().is_ok() && !id.is_empty()).then(|| written.into())
        }
        Dimension::Header(name) if *name == HOST => Some(counted_host(written).into_owned()),
        Dimension::Organization
        | Dimension::Endpoint
        | Dimension::Route
        | Dimension::Header(_)
        | Dimension::Claim(_) => Some(written.into()),
    }
}

/// The parts in their order, each with its length in bytes: `9:192.0.2.7,4:acme,`.
fn combination(per: &[Dimension], written: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    for (dimension, text) in per.iter().zip(parts(written, per.len())?) {
        let text = part(dimension, text)?;
        // INVARIANT: writing to memory does not fail.
        let _ = write!(value, "{}:", text.len());
        value.extend_from_slice(&text);
        value.push(b',');
    }
    Some(value)
}

/// The parts of a combination of so many.
fn parts(written: &[u8], count: usize) -> Option<Vec<&[u8]>> {
    let (mut rest, mut parts) = (written, Vec::new());
    for _ in 0..count {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let (length, after) = rest.split_at_checked(colon)?;
        let length = str::from_utf8(length).ok()?.parse().ok()?;
        let (text, after) = after.get(1..)?.split_at_checked(length)?;
        rest = after.strip_prefix(b",")?;
        parts.push(text);
    }
    rest.is_empty().then_some(parts)
}

fn network(written: &str) -> Option<IpNet> {
    match written.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => written.parse().ok().map(|Prefix(network)| network),
    }
}

/// The network that an address is counted with, also where it is written as one. A part of it is none.
fn site(network: IpNet) -> Option<String> {
    let counted = SitePrefix::of(network.addr());
    [counted.length(), network.max_prefix_len()].contains(&network.prefix_len()).then(|| counted.to_string())
}

/// How a value of a rule is written.
fn form(per: &[Dimension]) -> &'static str {
    match per {
        [Dimension::Address] => "an address such as `203.0.113.7`",
        [Dimension::Prefix] => "an address, or its network such as `203.0.113.0/24`",
        [Dimension::User] => "a user as `PROVIDER/ID`",
        [Dimension::Key] => "an API key as `PROVIDER/NAME`",
        [_] => "any text",
        _ => "the parts of a combination, each with its length, as in `9:192.0.2.7,4:acme,`",
    }
}

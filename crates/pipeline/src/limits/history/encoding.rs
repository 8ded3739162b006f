//! How a request is written down: who asks and for what, as bytes. Whole numbers are written in groups of seven bits,
//! the lowest first (LEB128), texts with their length in front.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use bartizan_limits::{Factors, LONGEST_SHOWN, RiskFactors, shortened};
use bartizan_model::{Principal, PrincipalKind, Quota};
use http::{HeaderMap, HeaderValue, Method};
use smallvec::SmallVec;

use super::Layout;
use crate::limits::{Facts, header_value, method_name};

/// The longest path that is recorded.
const LONGEST_PATH: usize = 256;
/// The longest method that is recorded by its name if it is none of the usual.
const LONGEST_METHOD: usize = 16;

/// What is written: without an allocation as long as nobody has much to say.
pub(super) type Buffer = SmallVec<[u8; 384]>;

/// Who asks.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) address: IpAddr,
    pub(crate) principal: Option<Principal>,
    /// What their API key may ask by itself.
    pub(crate) own_rate: Option<Quota>,
    /// Those that are recorded.
    pub(crate) claims: BTreeMap<String, String>,
    /// Those that are recorded.
    pub(crate) headers: HeaderMap,
    /// What their risk made of their limits.
    pub(crate) risk: RiskFactors,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct What {
    pub(crate) method: Method,
    /// Its number in the layout.
    pub(crate) route: usize,
    /// `None` where it was too long, or one of too many.
    pub(crate) path: Option<Box<str>>,
}

// === writing ===

pub(super) fn write_who(
    facts: &Facts<'_>,
    layout: &Layout,
    hash: impl Fn(&[u8]) -> u64,
    buffer: &mut Buffer,
) {
    write_address(facts.address, facts.risk, buffer);
    for name in &layout.headers {
        write_short(&header_value(name, facts.headers), &hash, buffer);
    }
    match facts.principal {
        None => buffer.push(0),
        Some(principal) => {
            write_principal(principal, facts.own_rate, &hash, buffer);
            for name in &layout.claims {
                write_claim(facts.claims.and_then(|claims| claims.get(name)), &hash, buffer);
            }
        }
    }
}

/// With the risk, where there is any.
fn write_address(address: IpAddr, risk: &RiskFactors, buffer: &mut Buffer) {
    let is_risky = *risk != RiskFactors::default();
    let flag = if is_risky { WITH_RISK } else { 0 };
    match address.to_canonical() {
        IpAddr::V4(address) => {
            buffer.push(4 | flag);
            buffer.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            buffer.push(6 | flag);
            buffer.extend_from_slice(&address.octets());
        }
    }
    if is_risky {
        for factors in [risk.address, risk.user, risk.organization, risk.other] {
            for factor in [factors.quota(), factors.cost(), factors.window()] {
                write_number(factor.into(), |byte| buffer.push(byte));
            }
        }
    }
}

const VERSION: u8 = 7;
const WITH_RISK: u8 = 8;

fn write_principal(
    principal: &Principal,
    own_rate: Option<Quota>,
    hash: impl Fn(&[u8]) -> u64,
    buffer: &mut Buffer,
) {
    let kind = match principal.kind {
        PrincipalKind::Token => 1,
        PrincipalKind::ApiKey => 2,
        PrincipalKind::Certificate => 3,
        PrincipalKind::Signature => 4,
        PrincipalKind::Session => 5,
    };
    let organization = if principal.organization.is_some() { WITH_ORGANIZATION } else { 0 };
    let rate = if own_rate.is_some() { WITH_RATE } else { 0 };
    buffer.push(kind | organization | rate);
    write_bytes(principal.provider.as_str().as_bytes(), buffer);
    write_short(principal.id.as_str().as_bytes(), &hash, buffer);
    if let Some(organization) = &principal.organization {
        write_short(organization.as_str().as_bytes(), &hash, buffer);
    }
    if let Some(rate) = own_rate {
        let window = u64::try_from(rate.length().as_nanos()).unwrap_or(u64::MAX);
        for figure in [rate.limit().get().into(), window, rate.burst().get().into()] {
            write_number(figure, |byte| buffer.push(byte));
        }
    }
}

fn write_claim(claim: Option<&String>, hash: impl Fn(&[u8]) -> u64, buffer: &mut Buffer) {
    buffer.push(u8::from(claim.is_some()));
    if let Some(claim) = claim {
        write_short(claim.as_bytes(), hash, buffer);
    }
}

const KIND: u8 = 7;
const WITH_ORGANIZATION: u8 = 8;
const WITH_RATE: u8 = 16;

/// With the path, if it is not too long.
pub(super) fn write_what(facts: &Facts<'_>, route: usize, buffer: &mut Buffer) {
    let method = facts.method.as_str();
    let method = if method.len() <= LONGEST_METHOD { method } else { method_name(facts.method) };
    write_bytes(method.as_bytes(), buffer);
    write_number(number(route), |byte| buffer.push(byte));
    let path = Some(facts.path).filter(|path| path.len() <= LONGEST_PATH);
    write_number(path.map_or(0, |path| number(path.len()) + 1), |byte| buffer.push(byte));
    buffer.extend_from_slice(path.unwrap_or_default().as_bytes());
}

/// Without the path, and without a method that somebody has made up: of these there are only so many.
pub(super) fn write_what_briefly(facts: &Facts<'_>, route: usize, buffer: &mut Buffer) {
    write_bytes(method_name(facts.method).as_bytes(), buffer);
    write_number(number(route), |byte| buffer.push(byte));
    buffer.push(0);
}

pub(super) fn write_number(mut number: u64, mut push: impl FnMut(u8)) {
    while number > 0x7f {
        let [low, ..] = number.to_le_bytes();
        push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    push(low);
}

fn write_short(value: &[u8], hash: impl Fn(&[u8]) -> u64, buffer: &mut Buffer) {
    if value.len() > LONGEST_SHOWN {
        write_bytes(&shortened(value, hash(value)), buffer);
    } else {
        write_bytes(value, buffer);
    }
}

fn write_bytes(bytes: &[u8], buffer: &mut Buffer) {
    write_number(number(bytes.len()), |byte| buffer.push(byte));
    buffer.extend_from_slice(bytes);
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

// === reading ===

/// What is left of some bytes. `None` where they end too early or are not what was written: that never happens.
pub(super) struct Unread<'b>(pub(super) &'b [u8]);

impl<'b> Unread<'b> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn who(&mut self, layout: &Layout) -> Option<Who> {
        let family = self.byte()?;
        let address = match family & VERSION {
            4 => IpAddr::V4(Ipv4Addr::from(*self.take(4)?.first_chunk::<4>()?)),
            _ => IpAddr::V6(Ipv6Addr::from(*self.take(16)?.first_chunk::<16>()?)),
        };
        let risk = if family & WITH_RISK == 0 { RiskFactors::default() } else { self.risk()? };
        let (mut headers, mut claims) = (HeaderMap::new(), BTreeMap::new());
        for name in &layout.headers {
            headers.insert(name, HeaderValue::from_bytes(self.prefixed()?).ok()?);
        }
        let flags = self.byte()?;
        let kind = match flags & KIND {
            0 => return Some(Who { address, principal: None, own_rate: None, claims, headers, risk }),
            1 => PrincipalKind::Token,
            2 => PrincipalKind::ApiKey,
            3 => PrincipalKind::Certificate,
            4 => PrincipalKind::Signature,
            _ => PrincipalKind::Session,
        };
        let (provider, id) = (self.text()?.parse().ok()?, self.text()?.into());
        let organization = if flags & WITH_ORGANIZATION == 0 { None } else { Some(self.text()?.into()) };
        let own_rate = if flags & WITH_RATE == 0 { None } else { Some(self.rate()?) };
        for name in &layout.claims {
            if self.byte()? != 0 {
                claims.insert(name.clone(), self.text()?.to_owned());
            }
        }
        let principal = Principal { id, kind, organization, provider, multi_factor: false };
        Some(Who { address, principal: Some(principal), own_rate, claims, headers, risk })
    }

    fn risk(&mut self) -> Option<RiskFactors> {
        let (address, user) = (self.factors()?, self.factors()?);
        Some(RiskFactors { address, user, organization: self.factors()?, other: self.factors()? })
    }

    fn factors(&mut self) -> Option<Factors> {
        let mut factor = || u32::try_from(self.number()?).ok();
        Some(Factors::of_thousandths(factor()?, factor()?, factor()?))
    }

    /// API keys have buckets.
    fn rate(&mut self) -> Option<Quota> {
        let (limit, window, burst) = (self.count()?, Duration::from_nanos(self.number()?), self.count()?);
        Quota::token_bucket(limit, window, burst).ok()
    }

    fn count(&mut self) -> Option<NonZeroU32> {
        NonZeroU32::new(u32::try_from(self.number()?).ok()?)
    }

    pub(super) fn what(&mut self) -> Option<What> {
        let method = Method::from_bytes(self.prefixed()?).ok()?;
        let route = usize::try_from(self.number()?).ok()?;
        let path = match self.number()?.checked_sub(1) {
            None => None,
            Some(length) => Some(str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok()?.into()),
        };
        Some(What { method, route, path })
    }

    fn text(&mut self) -> Option<&'b str> {
        str::from_utf8(self.prefixed()?).ok()
    }

    pub(super) fn prefixed(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, left) = self.0.split_at_checked(length)?;
        self.0 = left;
        Some(taken)
    }
}

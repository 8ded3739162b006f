use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use bartizan_limits::{Factors, LONGEST_SHOWN, RiskFactors, shortened};
use bartizan_model::{Principal, PrincipalKind, Quota};
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::tests::config;

/// A layout of two routes that records `x-tenant` and the claim `plan`.
fn layout() -> Arc<Layout> {
    let mut layout =
        Layout::of(&config("\n  - { path: /a/**, to: u, auth: none }\n  - { path: /b, to: u, auth: none }"));
    layout.headers.push(http::HeaderName::from_static("x-tenant"));
    layout.claims.push("plan".into());
    Arc::new(layout)
}

/// A request, with everything that may be recorded of it.
#[derive(Debug, Clone)]
struct Asked {
    address: IpAddr,
    principal: Option<Principal>,
    own_rate: Option<Quota>,
    claims: BTreeMap<String, String>,
    headers: HeaderMap,
    method: Method,
    path: String,
    route: usize,
    risk: RiskFactors,
}

impl Asked {
    /// `GET /a` from nobody in particular.
    fn from(address: [u8; 4]) -> Self {
        Self {
            address: address.into(),
            principal: None,
            own_rate: None,
            claims: BTreeMap::new(),
            headers: HeaderMap::new(),
            method: Method::GET,
            path: "/a".into(),
            route: 0,
            risk: RiskFactors::default(),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            address: self.address,
            principal: self.principal.as_ref(),
            own_rate: self.own_rate,
            claims: self.principal.is_some().then_some(&self.claims),
            headers: &self.headers,
            method: &self.method,
            path: &self.path,
            route: None,
            risk: &self.risk,
        }
    }

    /// What [`told`] says of it, once recorded.
    fn kept(&self, time: u64, history: &LimitHistory) -> (u64, String) {
        let short = |text: &str| {
            if text.len() <= LONGEST_SHOWN {
                return text.to_owned();
            }
            String::from_utf8(shortened(text.as_bytes(), history.hash(text.as_bytes())).to_vec()).unwrap()
        };
        let principal = self.principal.clone().map(|principal| Principal {
            id: short(principal.id.as_str()).as_str().into(),
            organization: principal.organization.map(|id| short(id.as_str()).as_str().into()),
            ..principal
        });
        let own_rate = self.own_rate.filter(|_| principal.is_some());
        let claims = self.claims.iter().filter(|_| principal.is_some());
        let claims: BTreeMap<_, _> = claims.map(|(name, value)| (name, short(value))).collect();
        let tenant = self.headers.get("x-tenant").map_or("", |value| value.to_str().unwrap());
        let tenant = Some(HeaderValue::from_bytes(short(tenant).as_bytes()).unwrap());
        let method = self.method.as_str();
        let method = if method.len() > 16 { "other" } else { method };
        let path = Some(self.path.as_str()).filter(|path| path.len() <= 256);
        let what = (method, self.route, path);
        (
            time,
            format!(
                "{:?}",
                (self.address.to_canonical(), &principal, own_rate, claims, tenant.as_ref(), what, self.risk)
            ),
        )
    }

    fn record(&self, history: &LimitHistory, layout: &Arc<Layout>, now: u64) {
        history.record(Nanos::new(now), layout, self.route, &self.facts());
    }
}

/// When, and everything that was recorded, as text.
fn told(recorded: &Recorded<'_>, time: u64) -> (u64, String) {
    let Recorded { who, what, .. } = recorded;
    let tenant = who.headers.get("x-tenant");
    let what = (what.method.as_str(), what.route, what.path.as_deref());
    (time, format!("{:?}", (who.address, &who.principal, who.own_rate, &who.claims, tenant, what, who.risk)))
}

/// Everything of a snapshot, in the order of time: when, from where, for which path.
fn read(snapshot: Snapshot) -> Vec<(u64, IpAddr, Option<String>)> {
    let mut all = Vec::new();
    for mut reader in snapshot.readers {
        while let Some((time, position)) = reader.advance() {
            let Recorded { who, what, .. } = reader.at(position).unwrap();
            all.push((time, who.address, what.path.as_deref().map(ToOwned::to_owned)));
        }
    }
    all.sort();
    all
}

/// What all shards together say that they take.
fn bytes(history: &LimitHistory) -> usize {
    history.0.bytes.load(Ordering::Relaxed)
}

fn risk() -> impl Strategy<Value = RiskFactors> {
    let factors = || (100..=2000_u32, 1000..=5000_u32, 1000..=2000_u32);
    let factors = || factors().prop_map(|(quota, cost, window)| Factors::of_thousandths(quota, cost, window));
    let risk = (factors(), factors(), factors(), factors());
    let risk = risk.prop_map(|(address, user, organization, other)| RiskFactors {
        address,
        user,
        organization,
        other,
    });
    prop_oneof![Just(RiskFactors::default()), risk]
}

fn asked() -> impl Strategy<Value = Asked> {
    let principal = prop::option::of(("\\PC{0,90}", prop::option::of("[a-z]{0,90}"), 0..4_usize));
    let address = any::<[u8; 16]>().prop_map(IpAddr::from);
    let header = prop::option::of("[a-z]{0,90}");
    let claim = prop::option::of("[a-z]{0,90}");
    let own_rate = prop::option::of((1..=Quota::LARGEST, 100..=10_000_u64));
    (address, principal, own_rate, header, "[A-Z]{1,20}", "/[a-z/]{0,300}", 0..2_usize, claim, risk())
        .prop_map(|(address, principal, own_rate, header, method, path, route, claim, risk)| Asked {
            address,
            own_rate: own_rate.map(|(limit, window)| {
                let limit = limit.try_into().unwrap();
                Quota::token_bucket(limit, Duration::from_millis(window), limit).unwrap()
            }),
            principal: principal.map(|(id, organization, kind)| Principal {
                id: id.as_str().into(),
                kind: [
                    PrincipalKind::Token,
                    PrincipalKind::ApiKey,
                    PrincipalKind::Certificate,
                    PrincipalKind::Signature,
                ][kind],
                organization: organization.map(|organization| organization.as_str().into()),
                provider: "shop-users".parse().unwrap(),
                multi_factor: false,
            }),
            claims: claim.map(|claim| ("plan".into(), claim)).into_iter().collect(),
            headers: header
                .map(|value| {
                    (http::HeaderName::from_static("x-tenant"), HeaderValue::try_from(value).unwrap())
                })
                .into_iter()
                .collect(),
            method: method.parse().unwrap(),
            path,
            route,
            risk,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_recorded_is_what_was_asked(
        asked in prop::collection::vec((asked(), 0..5_000_000_000_u64, 1..4_usize), 1..40),
    ) {
        let (history, layout) = (LimitHistory::default(), layout());
        let (mut now, mut expected) = (0, Vec::new());
        for (asked, wait, times) in &asked {
            for _ in 0..*times {
                now += wait;
                asked.record(&history, &layout, now);
                expected.push((now, asked));
            }
        }
        let mut found = Vec::new();
        for mut reader in history.snapshot(Nanos::new(now)).readers {
            while let Some((time, position)) = reader.advance() {
                found.push(told(&reader.at(position).unwrap(), time));
            }
        }
        let mut wanted: Vec<_> = expected.iter().map(|(time, asked)| asked.kept(*time, &history)).collect();
        // Requests of the same moment have no order.
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }
}

#[test]
fn a_flood_of_new_addresses_and_paths_pushes_out_the_oldest_and_takes_no_more_memory() {
    const ROOM: usize = 12 * 1024 * 1024;
    const REQUESTS: u32 = 300_000;
    let (history, layout) = (LimitHistory::with_room(ROOM), layout());
    for number in 0..REQUESTS {
        let mut asked = Asked::from(number.to_be_bytes());
        asked.path = format!("/a/{number}");
        let tenant = HeaderValue::try_from(format!("{number:060}")).unwrap();
        asked.headers.insert("x-tenant", tenant);
        asked.record(&history, &layout, u64::from(number) * 1000);
        assert!(number % 1000 != 0 || bytes(&history) <= ROOM, "{} bytes", bytes(&history));
    }
    let told: usize = history.0.shards.iter().map(|shard| shard.0.lock().told()).sum();
    assert_eq!(bytes(&history), told);
    let snapshot = history.snapshot(Nanos::new(u64::from(REQUESTS) * 1000));
    let (from, gone) = (snapshot.from, snapshot.gone);
    assert!(from > 0 && gone > 0, "{from} {gone}");
    let read = read(snapshot);
    assert_eq!(read.len() as u64 + gone, u64::from(REQUESTS), "every request is there or counted");
    let complete = read.iter().filter(|(time, ..)| *time >= from).count() as u64;
    assert_eq!(complete, u64::from(REQUESTS) - from.div_ceil(1000), "nothing is missing from then on");
    assert!(complete > u64::from(REQUESTS) / 8, "{complete}");
}

#[test]
fn many_paths_are_known_by_their_route_only_and_few_by_name() {
    let (history, layout) = (LimitHistory::default(), layout());
    for number in 0..10_000_u32 {
        let mut asked = Asked::from([192, 0, 2, 7]);
        asked.path = format!("/a/{number}");
        asked.method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        asked.record(&history, &layout, u64::from(number));
    }
    Asked::from([192, 0, 2, 7]).record(&history, &layout, 10_000);
    let read = read(history.snapshot(Nanos::new(10_000)));
    let named = read.iter().filter(|(.., path)| path.is_some()).count();
    assert_eq!((read.len(), named), (10_001, 4096));
}

#[test]
fn an_hour_is_kept_and_what_is_older_goes() {
    let (history, layout) = (LimitHistory::default(), layout());
    let end = 90 * MINUTE;
    for second in 0..90 * 60 {
        Asked::from([192, 0, 2, 7]).record(&history, &layout, second * MINUTE / 60);
    }
    let kept: u64 = history.0.shards.iter().map(|shard| shard.0.lock().requests()).sum();
    assert!((60 * 60..=62 * 60).contains(&kept), "{kept}");
    let snapshot = history.snapshot(Nanos::new(end));
    assert_eq!((snapshot.from, snapshot.until, snapshot.gone), (30 * MINUTE, end, 0));
    let read = read(snapshot);
    assert_eq!(read.iter().filter(|(time, ..)| *time >= 30 * MINUTE).count(), 60 * 60);
    // Long after, nothing is left.
    assert_eq!(self::read(history.snapshot(Nanos::new(end + 2 * SPAN))), []);
    assert!(bytes(&history) < 16 * 1024, "{}", bytes(&history));
}

#[test]
fn what_is_older_than_an_hour_goes_although_nothing_comes_any_more() {
    let (history, layout) = (LimitHistory::default(), layout());
    for minute in 0..10 {
        Asked::from([192, 0, 2, 7]).record(&history, &layout, minute * MINUTE);
    }
    let kept_at = |now: u64| {
        history.forget_expired(Nanos::new(now));
        history.0.shards.iter().map(|shard| shard.0.lock().requests()).sum::<u64>()
    };
    assert_eq!([10, 65, 69].map(|minute| kept_at(minute * MINUTE)), [10, 5, 1]);
    // What is left are tables without an entry.
    assert!(kept_at(70 * MINUTE) == 0 && bytes(&history) < 1024, "{} bytes", bytes(&history));
}

#[test]
fn of_more_than_can_be_replayed_the_newest_are() {
    let (history, layout) = (LimitHistory::default(), layout());
    // A hundred a minute, for ten minutes.
    for number in 0..1000 {
        Asked::from([192, 0, 2, 7]).record(&history, &layout, number * MINUTE / 100);
    }
    let end = Nanos::new(10 * MINUTE);
    let snapshot = history.newest(350, end);
    // What is left out ended with the seventh minute.
    let from = 699 * MINUTE / 100 + 1;
    assert_eq!((snapshot.from, snapshot.gone), (from, 700));
    assert_eq!(read(snapshot).len(), 300);
    assert_eq!(history.newest(1000, end).gone, 0);
}

#[test]
fn what_was_recorded_before_nothing_was_limited_is_not_complete() {
    let limiter = Limiter::new(None, None).unwrap();
    let with_limits = config("\n  - { path: /**, to: u, auth: none, limit: default }");
    let without_limits = config("\n  - { path: /**, to: u, auth: none }");
    let first = Recorder::new(&with_limits, &limiter, None);
    let same = Recorder::new(&with_limits, &limiter, Some(&first));
    assert!(Arc::ptr_eq(first.layout.as_ref().unwrap(), same.layout.as_ref().unwrap()));
    let began = same.history.snapshot(limiter.now()).from;
    let without = Recorder::new(&without_limits, &limiter, Some(&same));
    assert!(without.layout.is_none());
    let again = Recorder::new(&with_limits, &limiter, Some(&without));
    assert!(again.history.snapshot(limiter.now()).from > began);
}

#[test]
fn threads_record_together_and_nothing_is_lost() {
    let (history, layout) = (LimitHistory::default(), layout());
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (history, layout) = (&history, &layout);
            scope.spawn(move || {
                for number in 0..5000_u32 {
                    let [.., high, low] = (number % 700).to_be_bytes();
                    Asked::from([10, thread, high, low]).record(history, layout, number.into());
                    if number % 1000 == 0 {
                        history.snapshot(Nanos::new(number.into()));
                    }
                }
            });
        }
    });
    assert_eq!(read(history.snapshot(Nanos::new(5000))).len(), 20_000);
}

#[test]
fn a_segment_after_a_flood_has_room_again() {
    let mut numbers = segment::Numbers::default();
    for hash in 0..40_000_u64 {
        numbers.of(Written { bytes: b"", hash: hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) });
    }
    assert!(numbers.bytes() > 500_000);
    numbers.clear();
    assert_eq!(numbers.bytes(), 0);
}

//! What an event costs that is looked at, routed and gathered: every event of the gateway pays the first, few the others.
//!
//! Events are made from a fixed seed (`SEED`): 2,000 addresses, 40 routes, one in twenty of high severity.

#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::{sync::Arc, time::SystemTime};

use bartizan_alerts::Gathering;
use bartizan_config::{Alerts, Config, Source};
use bartizan_events::{Decision, Event, Kind, Severity};
use divan::{Bencher, counter::ItemsCount};

const SEED: u64 = 0x5eed_0014;
const EVENTS: usize = 100_000;

fn main() {
    divan::main();
}

fn config() -> Arc<Alerts> {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n\
         alerts:\n  channels: {{ team: {{ webhook: {{ url: \"https://hooks.test/\", secret: \"{}\" }} }} }}\n  routes:\n    \
         - {{ to: team, severity: critical, group_by: [rule, address], continue: true }}\n    \
         - {{ to: team, kinds: [detection_matched], severity: medium }}\n    \
         - {{ to: team, severity: high, group_by: [kind, address] }}\n",
        "s".repeat(32)
    );
    let config = Config::parse(&text, &Source::text(".")).expect("a configuration").config;
    Arc::new(config.alerts.expect("alerts"))
}

/// `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn events(of_high: u64) -> Vec<Event> {
    let (mut state, now) = (SEED, SystemTime::now());
    let event = |_| {
        let number = random(&mut state);
        let mut event = Event::new(Kind::AttackDetected, now, Decision::Refused, "somebody tries the door");
        event.severity = if number % 100 < of_high { Severity::High } else { Severity::Low };
        let host = u16::try_from(number >> 8 & 0x7ff).unwrap_or(0).to_be_bytes();
        event.address = Some([198, 51, host[0], host[1]].into());
        event.route = Some(format!("/route/{}", (number >> 20) % 40));
        event.request = Some(format!("{number:032x}"));
        event.rules = vec!["942100".into()];
        event
    };
    (0..EVENTS).map(event).collect()
}

/// As the gateway sees them: one in twenty is high.
#[divan::bench(sample_count = 20)]
fn gather(bencher: Bencher<'_, '_>) {
    all(bencher, 5);
}

/// A storm in which every event is in some group.
#[divan::bench(sample_count = 20)]
fn gather_storm(bencher: Bencher<'_, '_>) {
    all(bencher, 100);
}

fn all(bencher: Bencher<'_, '_>, of_high: u64) {
    let (config, events) = (config(), events(of_high));
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        let mut gathering = Gathering::new(Arc::clone(&config));
        for event in &events {
            gathering.observe(event);
        }
        gathering.take().len()
    });
}

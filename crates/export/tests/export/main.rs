//! What a user of the crate sees: events go in, receivers have them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod foreign;
mod killed;
mod receivers;
mod recording;
mod rsyslog;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bartizan_config::{Config, Source};
use bartizan_events::{Decision, Event, Kind};
use bartizan_export::{ExportError, Exports, Plan, Unusable};

/// How long anything may take on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn plan(folder: &Path, exports: &str) -> Plan {
    let document = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nexports: {exports}\n\
         routes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n"
    );
    let config = Config::parse(&document, &Source::text(folder)).unwrap().config;
    Plan::new(&config.exports).unwrap()
}

/// What waits for `..` would stand where it does not belong.
#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let document = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nexports: { ..: { file: { directory: ./a } } }\n\
                    routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]\n";
    let config = Config::parse(document, &Source::text("")).unwrap().config;
    let unusable = Plan::new(&config.exports).unwrap_err();
    assert!(matches!(unusable[..], [Unusable { error: ExportError::Name, .. }]), "{unusable:?}");
}

fn start(folder: &Path, exports: &str) -> Exports {
    Exports::start(folder.join("exports"), plan(folder, exports)).unwrap()
}

fn events(kind: Kind, count: usize) -> Vec<Event> {
    (0..count).map(|_| Event::new(kind, SystemTime::now(), Decision::Refused, "a test")).collect()
}

fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}

//! How the process fares, and what it needs.

use bartizan_events::{LogHealth, Severity};

use super::{Check, Disk, Facts, Found};
use crate::PartHealth;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for part in facts.parts.iter().filter(|part| part.health == PartHealth::Failing) {
        // That the store is gone is said by what cannot be read there.
        if part.name != "store" || facts.inventory.is_none() {
            let said = format!("{}: {}", part.name, part.said);
            found.add(Check::PartFailing, &part.name, said, advice(&part.name));
        }
    }
    look_at_log(facts.log, found);
    if let Some(reason) = &facts.configuration_failure {
        found.add(
            Check::ConfigurationRefused,
            "configuration",
            format!("the configuration on disk could not be loaded, the one before is in use: {reason}"),
            "see what is wrong by `bartizan check`, mend it, then `bartizan reload`",
        );
    }
    if let Some(disk) = &facts.disk {
        look_at_disk(disk, found);
    }
}

/// What to do about a part, by the beginning of its name.
fn advice(part: &str) -> &'static str {
    match part.split(' ').next().unwrap_or_default() {
        "shared" => "start Redis, or mend `shared`; until then gateways count as `shared.on_error` says",
        "export" => "see why by `bartizan exports status`, mend the receiver or its entry under `exports`",
        "upstream" => "start the service, or mend its `targets` under `upstreams`; see `bartizan status`",
        "alerts" => "mend `store`, where alerts are kept",
        _ => "see the log and `bartizan status`",
    }
}

fn look_at_log(log: LogHealth, found: &mut Found) {
    let LogHealth { waiting, room, dropped, lost, spilled, has_spill } = log;
    let roomier = "give the events a faster disk (`events.directory`) or a longer queue (`events.queue`)";
    if lost > 0 {
        let said = format!("{lost} events of medium severity and above were lost since the start");
        found.add(Check::EventsLost, "events", said, format!("{roomier}, or a larger `events.spill`"));
    }
    if dropped > 0 {
        let said = format!("{dropped} events of low severity were dropped since the start, and only counted");
        found.add(Check::EventsDropped, "events", said, roomier);
    }
    if has_spill {
        let said = format!("events wait in the spill for the store ({spilled} were spilled since the start)");
        found.add(Check::EventsSpilled, "events", said, "see the log for why the store does not take them");
    }
    if waiting > room / 2 {
        let said = format!("{waiting} of at most {room} events wait to be written");
        found.add(Check::QueuePressure, "events", said, roomier);
    }
}

fn look_at_disk(disk: &Disk, found: &mut Found) {
    let Disk { path, free, size } = disk;
    let hundredths = free.saturating_mul(100).checked_div(*size).unwrap_or(100);
    let severity = match hundredths {
        0..5 => Severity::High,
        5..15 => Severity::Medium,
        _ => return,
    };
    found.add_as(
        Check::DiskNearlyFull,
        severity,
        path,
        format!("{hundredths} % of the disk under `{path}` are free"),
        "keep events for a shorter time (`events.retention`), elsewhere (`events.directory`), or make room",
    );
}

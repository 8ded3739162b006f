//! Metrics: every one that exists, in one table, and the recorder that collects them for Prometheus.

use anyhow::{Context, Result};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Spread over buckets.
    Histogram,
}

/// Every metric: its name, what it is, and what it says. Labels are in braces.
const METRICS: &[(&str, Kind, &str)] = &[
    (
        "bartizan_requests_total",
        Kind::Counter,
        "Requests of a route, by class of the status they were answered with",
    ),
    (
        "bartizan_request_duration_seconds",
        Kind::Histogram,
        "From the arrival of a request to the head of its answer",
    ),
    (
        "bartizan_refusals_total",
        Kind::Counter,
        "Refused requests, by the stage that refused and the refusal's code",
    ),
    ("bartizan_connections_total", Kind::Counter, "Connections accepted, by listener"),
    ("bartizan_connections", Kind::Gauge, "Open connections, by listener"),
    (
        "bartizan_connections_refused_total",
        Kind::Counter,
        "Connections closed at once for exceeding a limit, by limit",
    ),
    ("bartizan_accept_errors_total", Kind::Counter, "Connections that could not be accepted, by listener"),
    (
        "bartizan_wire_violations_total",
        Kind::Counter,
        "Connections ended for breaking HTTP or a limit, by code",
    ),
    ("bartizan_upgraded_connections", Kind::Gauge, "Open WebSocket and other upgraded connections"),
    ("bartizan_held_body_bytes", Kind::Gauge, "Request bodies held in memory"),
    ("bartizan_limit_decisions_total", Kind::Counter, "Requests that a rule of a limit counted, by outcome"),
    ("bartizan_limits_store_failures_total", Kind::Counter, "Decisions that the shared store did not make"),
    (
        "bartizan_together_store_failures_total",
        Kind::Counter,
        "What counts once, and attempts to log in, that the shared store was not told of",
    ),
    ("bartizan_policy_decisions_total", Kind::Counter, "Requests that policies were asked about, by outcome"),
    ("bartizan_waf_refusals_total", Kind::Counter, "Refusals by the firewall's rules, by mode"),
    ("bartizan_waf_refusals_by_rule_total", Kind::Counter, "The same for each rule that matched"),
    (
        "bartizan_waf_inspected_bodies_total",
        Kind::Counter,
        "Bodies that the firewall looked at, by direction",
    ),
    (
        "bartizan_waf_overloads_total",
        Kind::Counter,
        "Bodies that the firewall could not look at for want of time or memory",
    ),
    ("bartizan_waf_failures_total", Kind::Counter, "Exchanges in which the rule engine failed inside"),
    ("bartizan_upstream_requests_total", Kind::Counter, "Requests sent to a target, by result"),
    ("bartizan_upstream_retries_total", Kind::Counter, "Requests sent to an upstream again"),
    ("bartizan_upstream_ejections_total", Kind::Counter, "Times a target was left alone because it failed"),
    ("bartizan_upstream_connections", Kind::Gauge, "Open connections to a target"),
    ("bartizan_upstream_healthy", Kind::Gauge, "Whether a target passes its health checks: 1 or 0"),
    ("bartizan_login_pauses_total", Kind::Counter, "Pauses of logins that began, by scope"),
    (
        "bartizan_login_stuffing_total",
        Kind::Counter,
        "Times that one network or password was seen to fail for many accounts, by what they had in common",
    ),
    (
        "bartizan_password_hashes_total",
        Kind::Counter,
        "Password hashes computed or compared, those that stand in for accounts that are not there included",
    ),
    ("bartizan_mail_total", Kind::Counter, "Messages to people, by result"),
    ("bartizan_sms_total", Kind::Counter, "Messages to telephones, by result"),
    ("bartizan_jwks_refresh_total", Kind::Counter, "Fetches of a JWK set, by identity provider and result"),
    (
        "bartizan_config_reloads_total",
        Kind::Counter,
        "Attempts to take over a changed configuration, by result",
    ),
    ("bartizan_config_last_reload_successful", Kind::Gauge, "Whether the last attempt succeeded: 1 or 0"),
    ("bartizan_threat_score", Kind::Gauge, "How threatened the gateway is, from 0 to 100"),
    ("bartizan_weaknesses", Kind::Gauge, "Weaknesses that the last scan has found, by severity"),
    (
        "bartizan_spans_dropped_total",
        Kind::Counter,
        "Spans not exported: the collector was too slow or not there",
    ),
    ("bartizan_export_sent_total", Kind::Counter, "Events that an export has delivered"),
    (
        "bartizan_export_refused_total",
        Kind::Counter,
        "Events that the receiver of an export refuses for good",
    ),
    (
        "bartizan_export_failures_total",
        Kind::Counter,
        "Deliveries of an export that failed and are tried again",
    ),
    (
        "bartizan_export_left_out_total",
        Kind::Counter,
        "Events that had no place to wait for the receiver of an export, by reason",
    ),
    ("bartizan_export_waiting_bytes", Kind::Gauge, "Events that wait for the receiver of an export"),
    (
        "bartizan_export_lag_seconds",
        Kind::Gauge,
        "Age of the oldest event that waits for the receiver of an export",
    ),
    ("bartizan_events_total", Kind::Counter, "Events that are stored or spilled, by severity"),
    ("bartizan_events_dropped_total", Kind::Counter, "Events that there was no room for, by severity"),
    (
        "bartizan_events_spilled_total",
        Kind::Counter,
        "Events that were appended to the spill: the store was too slow or failed",
    ),
    ("bartizan_events_queued", Kind::Gauge, "Events that the writer has found waiting"),
    ("bartizan_alerts_raised_total", Kind::Counter, "Alerts that were raised, by severity"),
    (
        "bartizan_alerts_overflow_total",
        Kind::Counter,
        "Groups of events that found no room for an alert of their own",
    ),
    (
        "bartizan_alerts_missed_events_total",
        Kind::Counter,
        "Events that came too fast for alerts and were read again from their store",
    ),
    ("bartizan_alerts_store_failures_total", Kind::Counter, "Turns of alerts that waited for the store"),
    ("bartizan_alert_notifications_total", Kind::Counter, "Notifications of alerts, by channel and result"),
    ("bartizan_alert_notifications_waiting", Kind::Gauge, "Notifications of alerts that wait, by channel"),
    ("bartizan_detection_findings_total", Kind::Counter, "What detection rules have found, by severity"),
    (
        "bartizan_detection_unseen_total",
        Kind::Counter,
        "Events that detection rules have not seen, by reason",
    ),
    (
        "bartizan_process_cpu_milliseconds_total",
        Kind::Counter,
        "Processor time spent, in user and system mode",
    ),
    ("bartizan_process_resident_memory_bytes", Kind::Gauge, "Memory in use"),
    ("bartizan_process_open_files", Kind::Gauge, "Open file descriptors"),
    ("bartizan_process_max_files", Kind::Gauge, "The limit of open file descriptors; 0 is none"),
];

/// Buckets of durations, in seconds: from a cached answer nearby to the longest default timeout.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Installs the recorder. Once per process, before anything is counted.
pub(crate) fn install() -> Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot start the metrics")?;
    describe();
    Ok(handle)
}

/// The series that says which configuration is in use. The recorder would keep every old revision.
pub(crate) fn configuration_series(revision: &str) -> String {
    let name = "bartizan_config_info";
    format!(
        "# HELP {name} The configuration in use\n# TYPE {name} gauge\n{name}{{revision=\"{revision}\"}} 1\n\n"
    )
}

fn describe() {
    for &(name, kind, help) in METRICS {
        match (kind, name.ends_with("_seconds"), name.ends_with("_bytes")) {
            (Kind::Counter, ..) => describe_counter!(name, help),
            (Kind::Gauge, _, true) => describe_gauge!(name, Unit::Bytes, help),
            (Kind::Gauge, ..) => describe_gauge!(name, help),
            (Kind::Histogram, true, _) => describe_histogram!(name, Unit::Seconds, help),
            (Kind::Histogram, ..) => describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Names of metrics in every source file of a folder but this one.
    fn used(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                used(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("src/recorder.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                for call in ["counter!(", "gauge!(", "histogram!("] {
                    let arguments = text.split(call).skip(1);
                    let names_of =
                        |text: &str| Some(text.trim_start().strip_prefix('"')?.split('"').next()?.to_owned());
                    names.extend(arguments.filter_map(names_of));
                }
            }
        }
    }

    #[test]
    fn every_metric_is_described_and_every_described_one_exists() {
        let mut names = BTreeSet::new();
        for room in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
            used(&room.unwrap().path().join("src"), &mut names);
        }
        let described: BTreeSet<_> = METRICS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(names, described);
        assert!(names.iter().all(|name| name.starts_with("bartizan_")));
    }

    #[test]
    fn counters_are_named_as_counters() {
        for (name, kind, help) in METRICS {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(!help.ends_with('.'), "{name}");
        }
    }
}

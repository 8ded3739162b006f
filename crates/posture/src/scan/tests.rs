//! Each fault is found by its check, and nothing on a gateway without any.

use std::time::{Duration, SystemTime};

use bartizan_events::{LogHealth, Severity};
use bartizan_identity::account::{DoubtfulKey, EndingCredential, Inventory, Some20};

use super::{Check, Disk, Facts, weaknesses};
use crate::{
    Part,
    tests::{HEALTHY, config, facts},
};

const DAY: Duration = Duration::from_hours(24);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn found(facts: &Facts) -> Vec<Check> {
    weaknesses(facts, now()).into_iter().map(|weakness| weakness.check).collect()
}

/// What is found of the healthy document with this change.
fn of_document(from: &str, to: &str) -> Vec<Check> {
    assert!(HEALTHY.contains(from), "{from}");
    found(&facts(config(&HEALTHY.replace(from, to))))
}

fn of(change: impl FnOnce(&mut Facts)) -> Vec<Check> {
    let mut facts = facts(config(HEALTHY));
    change(&mut facts);
    found(&facts)
}

fn of_inventory(change: impl FnOnce(&mut Inventory)) -> Vec<Check> {
    let mut inventory = Inventory::default();
    change(&mut inventory);
    of(|facts| facts.inventory = Some(Ok(inventory)))
}

#[test]
fn a_healthy_gateway_has_no_weakness() {
    assert_eq!(of(|_| ()), []);
    let fine = Disk { path: "/var".into(), free: 50, size: 100 };
    let keys = now() + DAY;
    assert_eq!(of(|facts| (facts.disk, facts.signing_keys) = (Some(fine), Some(Ok(keys)))), []);
}

#[test]
fn what_the_configuration_says_is_found() {
    let http = "listen: { http: \"127.0.0.1:0\" }";
    let cases = [
        // Without TLS no browser would take a cookie that asks for it.
        ("listen: { https: \"127.0.0.1:0\" }\ntls: dev", http, vec![Check::CookieInsecure, Check::TlsOff]),
        // Of the route and of the endpoints of accounts.
        ("waf: starter\n", "", vec![Check::FirewallOff; 2]),
        ("waf: starter", "waf: { mode: log }", vec![Check::FirewallOnlyLogs; 2]),
        (
            "waf: starter",
            "waf: { exclude: [{ rule: 942100, expires: 2020-01-01 }, { rule: 942110, expires: 2090-01-01 }] }",
            vec![Check::ExclusionExpired],
        ),
        ("auth: people", "auth: none", vec![Check::RouteWithoutAuthentication]),
        (", limit: default", "", vec![Check::RouteWithoutLimits]),
        (
            "routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: people, limit: default }]",
            "limits: { slow: [{ per: address, rate: 1/h, mode: shadow }] }\n\
             routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: people, limit: slow }]",
            vec![Check::LimitsOnlyReport],
        ),
        ("blocklist: ./breached.txt", "", vec![Check::PasswordBlocklistMissing]),
        ("blocklist: ./breached.txt", "profile: character-classes", vec![Check::PasswordProfileOutdated]),
        ("key: \"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"", "", vec![Check::FactorKeyInStore]),
        ("accounts:\n", "accounts:\n  session: { cookie: plain }\n", vec![Check::CookieInsecure]),
        (
            "  mail: { from: gate@shop.test, base_url: \"https://shop.test\", smtp: { url: \"smtps://mail.shop.test\" } }\n",
            "",
            vec![Check::MailOff],
        ),
    ];
    for (from, to, expected) in cases {
        assert_eq!(of_document(from, to), expected, "{to}");
    }
}

#[test]
fn certificates_that_end_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, days: i64| {
        let mut parameters = rcgen::CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
        let today = time::OffsetDateTime::from(now());
        parameters.not_before = today - time::Duration::days(400);
        parameters.not_after = today + time::Duration::days(days);
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(path(name), parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    };
    write("shop.pem", 90);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path("key.pem"), private).unwrap();
    let shop = path("shop.pem").display().to_string();
    let key = path("key.pem").display().to_string();
    let tls = format!("tls: {{ cert: \"{shop}\", key: \"{key}\", client_ca: \"{shop}\" }}");
    let facts = facts(config(&HEALTHY.replace("tls: dev", &tls)));
    assert_eq!(found(&facts), []);
    for (days, check, severity) in [
        (20, Check::CertificateExpires, Severity::Medium),
        (3, Check::CertificateExpires, Severity::High),
        (-2, Check::CertificateExpired, Severity::Critical),
    ] {
        write("shop.pem", days);
        let found = weaknesses(&facts, now());
        // The listener's and the authorities' are one file, which is one weakness.
        let [weakness] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((weakness.check, weakness.severity, weakness.subject.as_str()), (check, severity, &*shop));
        assert!(
            weakness.recommendation.contains("tls.certificates") || weakness.recommendation.contains("tls.")
        );
    }
    std::fs::write(path("shop.pem"), "nonsense").unwrap();
    assert_eq!(found(&facts), [Check::CertificateUnreadable]);
}

#[test]
fn what_accounts_hold_is_found() {
    let some = |count| Some20 { count, examples: vec!["ada@shop.test".into()] };
    let key = |expires: Option<SystemTime>, last_used| {
        vec![DoubtfulKey { id: "7".into(), name: "billing".into(), expires, last_used }]
    };
    let cases: Vec<(Vec<Check>, Check)> = vec![
        (
            of_inventory(|inventory| inventory.doubtful_keys = key(Some(now() + 3 * DAY), None)),
            Check::KeyExpires,
        ),
        (of_inventory(|inventory| inventory.doubtful_keys = key(None, None)), Check::KeyNeverUsed),
        (
            of_inventory(|inventory| inventory.doubtful_keys = key(None, Some(now() - 100 * DAY))),
            Check::KeyStale,
        ),
        (
            of_inventory(|inventory| {
                let (id, service, name) = ("1".into(), "2".into(), "billing".into());
                inventory.ending_credentials =
                    vec![EndingCredential { id, service, name, expires: now() + DAY }];
            }),
            Check::ServiceSecretExpires,
        ),
        (of_inventory(|inventory| inventory.never_used = some(2)), Check::AccountsNeverUsed),
        (of_inventory(|inventory| inventory.stale = some(2)), Check::AccountsStale),
        (
            of_inventory(|inventory| inventory.administrators_without_factor = some(1)),
            Check::AdministratorsWithoutFactor,
        ),
        (of_inventory(|inventory| inventory.old_invitations = 1), Check::InvitationsOld),
        (of_inventory(|inventory| inventory.clock_ahead = -7000), Check::ClockOff),
        (of(|facts| facts.inventory = Some(Err("nobody answers".into()))), Check::StoreUnreachable),
        (of(|facts| facts.signing_keys = Some(Err("sealed".into()))), Check::SigningKeysUnreadable),
        (of(|facts| facts.signing_keys = Some(Ok(now() - 2 * DAY))), Check::SigningKeysOverdue),
    ];
    for (found, expected) in cases {
        assert_eq!(found, [expected]);
    }
}

#[test]
fn what_the_process_lacks_is_found() {
    let log = LogHealth { room: 100, ..LogHealth::default() };
    let disk = |free| Some(Disk { path: "/var".into(), free, size: 1000 });
    let cases: Vec<(Vec<Check>, Vec<Check>)> = vec![
        (
            of(|facts| facts.parts.push(Part::new("shared store", Some("it does not answer".into())))),
            vec![Check::PartFailing],
        ),
        (of(|facts| facts.log = LogHealth { lost: 1, ..log }), vec![Check::EventsLost]),
        (of(|facts| facts.log = LogHealth { dropped: 1, ..log }), vec![Check::EventsDropped]),
        (of(|facts| facts.log = LogHealth { has_spill: true, ..log }), vec![Check::EventsSpilled]),
        (of(|facts| facts.log = LogHealth { waiting: 51, ..log }), vec![Check::QueuePressure]),
        (
            of(|facts| facts.configuration_failure = Some("rules: nonsense".into())),
            vec![Check::ConfigurationRefused],
        ),
        (of(|facts| facts.disk = disk(100)), vec![Check::DiskNearlyFull]),
        (of(|facts| facts.disk = disk(150)), vec![]),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_too_much_is_told_as_one() {
    let routes: Vec<_> = (0..60)
        .map(|number| format!("{{ path: /{number}, to: \"http://127.0.0.1:1\", auth: people }}"))
        .collect();
    let text = HEALTHY.split("routes:").next().unwrap().to_owned();
    let facts = facts(config(&format!("{text}routes: [{}]", routes.join(", "))));
    let found = weaknesses(&facts, now());
    let of_limits = found.iter().filter(|weakness| weakness.check == Check::RouteWithoutLimits);
    assert_eq!(of_limits.count(), 51);
    assert!(found.iter().any(|weakness| weakness.said.starts_with("10 more: ")), "{found:?}");
    let mut ids: Vec<_> = found.iter().map(|weakness| &weakness.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.len(), "every one has an id of its own");
}

#[test]
fn every_check_has_a_name_of_its_own_as_it_is_written() {
    let mut names: Vec<_> = Check::ALL.iter().map(|check| check.as_str()).collect();
    for check in Check::ALL {
        assert_eq!(serde_json::to_value(check).unwrap(), check.as_str());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Check::ALL.len());
}

#[test]
fn the_disk_of_a_folder_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::of(folder.path()).unwrap();
    assert!(disk.size > 0 && disk.free <= disk.size, "{disk:?}");
    assert_eq!(Disk::of(&folder.path().join("nothing")), None);
}

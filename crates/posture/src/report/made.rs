//! How a report is made.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bartizan_events::{
    Bucket, Counts, Dimension, Event, EventError, EventLog, Filter, Kind, Order, Severity, Span, Unreadable,
};
use bartizan_identity::account::Inventory;

use super::{
    ConfigurationEvent, Difference, LevelChange, NotableEvent, ReportLimits, ReportPeople, ReportPoint,
    ReportRisk, ReportStatistics, ReportSystems, ReportThreats, ReportedCount, SecurityReport,
};
use crate::{Cause, EventStatistics, Moment, Posture, PostureError, ThreatLevel, assess, assessed};

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    from: SystemTime,
    to: SystemTime,
}

/// What a report is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// About which time.
    pub period: Period,
    /// Whether addresses, people and sentences are shown.
    pub personal: bool,
    /// How long making it may take, roughly.
    pub within: Duration,
}

/// What is known of the gateway beside its events.
#[derive(Debug, Clone)]
pub struct System {
    /// How it stands now.
    pub posture: Arc<Posture>,
    /// What there is of people and keys; `None`: there are no accounts, or they cannot be read.
    pub inventory: Option<Inventory>,
    /// The version of the binary.
    pub version: String,
    /// How long it has been running.
    pub uptime: Duration,
    /// The configuration in use.
    pub revision: String,
}

const LONGEST: Duration = Duration::from_hours(366 * 24);
const HOUR: Duration = Duration::from_hours(1);
/// In seconds.
const MINUTE: u64 = 60;
/// In seconds.
const DAY: u64 = 24 * 60 * MINUTE;
/// The most values of a ranking.
const MOST_RANKED: usize = 10;
const MOST_NOTABLE: usize = 20;
const MOST_CONFIGURATIONS: usize = 20;
const MOST_CHANGES: usize = 50;
/// The most pieces of a period.
const MOST_POINTS: u64 = 96;
/// Up to so long a period is counted by the minute; longer ones by ten.
const BY_MINUTE: Duration = Duration::from_hours(3 * 24);
const MASK: &str = "***";

const SERVED: &[Kind] = &[Kind::RequestAllowed];
const REFUSED: &[Kind] =
    &[Kind::RequestRefused, Kind::RequestChallenged, Kind::RateLimitExceeded, Kind::PermissionDenied];
const ATTACKS: &[Kind] = &[Kind::AttackDetected];
const LOGINS: &[Kind] = &[Kind::AuthenticationSucceeded];
const FAILURES: &[Kind] = &[Kind::AuthenticationFailed, Kind::TokenRefused];
const PAUSES: &[Kind] = &[Kind::AccountPaused];
const CONFIGURATIONS: &[Kind] = &[Kind::ConfigurationChanged, Kind::ConfigurationRefused];
/// What is compared with the period before.
const COMPARED: [(&str, &[Kind]); 12] = [
    ("requests served", SERVED),
    ("requests refused", REFUSED),
    ("attacks that the firewall saw", ATTACKS),
    ("findings of detection rules", &[Kind::DetectionMatched]),
    ("limits exceeded", &[Kind::RateLimitExceeded]),
    ("logins", LOGINS),
    ("failed logins and tokens", FAILURES),
    ("paused accounts and addresses", PAUSES),
    ("failures of services behind", &[Kind::UpstreamFailed]),
    ("accounts made", &[Kind::AccountCreated]),
    ("changes of roles", &[Kind::RoleChanged]),
    ("changes of the configuration", CONFIGURATIONS),
];

impl Period {
    /// From one moment until just before another one, in whole minutes.
    pub fn new(from: SystemTime, to: SystemTime) -> Result<Self, PostureError> {
        let beyond = to.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() % MINUTE;
        let to = moment(minute(to) + u64::from(beyond > 0));
        let from = if from < UNIX_EPOCH { from } else { moment(minute(from)) };
        let length = to.duration_since(from).map_err(|_| PostureError::Period)?;
        let is_sound = !length.is_zero() && length <= LONGEST && from >= UNIX_EPOCH;
        if is_sound { Ok(Self { from, to }) } else { Err(PostureError::Period) }
    }

    /// The one of the same length that ends where this one begins.
    fn before(self) -> Self {
        let length = self.length();
        Self { from: self.from.checked_sub(length).unwrap_or(UNIX_EPOCH), to: self.from }
    }

    fn length(self) -> Duration {
        self.to.duration_since(self.from).unwrap_or_default()
    }

    /// How many minutes are counted together.
    fn resolution(self) -> u32 {
        if self.length() <= BY_MINUTE { 1 } else { 10 }
    }

    fn filter(self, kinds: &[Kind]) -> Filter {
        Filter { span: Span::new(Some(self.from), Some(self.to)), kinds: kinds.to_vec(), ..Filter::default() }
    }
}

/// Makes a report. It works for a while: not for a thread that others wait for.
pub fn make(log: &EventLog, wanted: Wanted, system: System) -> Result<SecurityReport, PostureError> {
    let Wanted { period, personal, within } = wanted;
    let mut asking = Asking { log, deadline: Instant::now() + within, personal, missing: Vec::new() };
    let System { posture, inventory, version, uptime, revision } = system;
    let counts = asking.counts(period)?;
    let before = asking.counts(period.before())?;
    let statistics = EventStatistics::of(&counts);
    let statistics_before = EventStatistics::of(&before);
    let over_time = points(period, &before, &counts);
    let threats = asking.threats(period, &statistics);
    let configurations = asking.events(&period.filter(CONFIGURATIONS), MOST_CONFIGURATIONS, "configurations");
    let level_changes =
        asking.events(&period.filter(&[Kind::ThreatLevelChanged]), MOST_CHANGES, "changes of the level");
    let limits = ReportLimits {
        exceeded: statistics.count(&[Kind::RateLimitExceeded]),
        exceeded_before: statistics_before.count(&[Kind::RateLimitExceeded]),
        addresses: asking.top(&period.filter(&[Kind::RateLimitExceeded]), Dimension::Address),
        seen: posture.limits,
    };
    let highest_score = over_time.iter().map(|point| point.score).max().unwrap_or_default();
    let risk = ReportRisk {
        now: posture.threat.clone(),
        highest: ThreatLevel::of(highest_score),
        highest_score,
        changes: level_changes.into_iter().map(level_change).collect(),
    };
    let systems = ReportSystems {
        version,
        uptime_seconds: uptime.as_secs(),
        revision,
        parts: posture.parts.clone(),
        configurations: configurations.into_iter().map(configuration).collect(),
        configuration_changes: statistics.count(CONFIGURATIONS),
    };
    let mut weaknesses = posture.weaknesses.clone();
    if !personal {
        for weakness in &mut weaknesses {
            weakness.people.clear();
        }
    }
    let mut report = SecurityReport {
        from: period.from.into(),
        to: period.to.into(),
        made: posture.at,
        masked: !personal,
        summary: Vec::new(),
        changes: differences(&statistics, &statistics_before),
        people: people(&statistics, inventory),
        statistics: ReportStatistics { period: statistics, before: statistics_before, over_time },
        threats,
        limits,
        systems,
        risk,
        weaknesses,
        recommendations: posture.recommendations.clone(),
        missing: asking.missing,
    };
    report.summary = summary(&report);
    Ok(report)
}

/// What asks the log, and notes what it does not answer.
struct Asking<'a> {
    log: &'a EventLog,
    deadline: Instant,
    personal: bool,
    missing: Vec<String>,
}

impl Asking<'_> {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Without these there is no report.
    fn counts(&mut self, period: Period) -> Result<Vec<Bucket>, EventError> {
        let minutes = period.resolution();
        let Counts { buckets, unreadable } = self.log.counts(&period.filter(&[]), minutes, self.left())?;
        self.note(unreadable);
        Ok(buckets)
    }

    fn top(&mut self, filter: &Filter, dimension: Dimension) -> Vec<ReportedCount> {
        match self.log.top(filter, dimension, MOST_RANKED, self.left()) {
            Ok(ranking) => {
                self.note(ranking.unreadable);
                let is_masked = !self.personal && dimension == Dimension::Address;
                let name = |value: String| if is_masked { masked_address(&value) } else { value };
                let ranked = ranking.values.into_iter();
                ranked.map(|ranked| ReportedCount { name: name(ranked.value), count: ranked.count }).collect()
            }
            Err(error) => {
                self.miss(format!("a ranking by {}: {error}", dimension_name(dimension)));
                Vec::new()
            }
        }
    }

    fn events(&mut self, filter: &Filter, most: usize, what: &str) -> Vec<Event> {
        match self.log.page(filter, Order::NewestFirst, None, most, self.left()) {
            Ok(page) => {
                self.note(page.unreadable);
                page.events
            }
            Err(error) => {
                self.miss(format!("{what}: {error}"));
                Vec::new()
            }
        }
    }

    fn threats(&mut self, period: Period, statistics: &EventStatistics) -> ReportThreats {
        let bad = Filter { severity: Some(Severity::Low), ..period.filter(&[]) };
        let notable = Filter { severity: Some(Severity::High), ..period.filter(&[]) };
        let notable = self.events(&notable, MOST_NOTABLE, "events of high severity");
        let is_bad = |kind: Kind| kind.severity() >= Severity::Low;
        let kinds = statistics.types.iter().filter(|of| is_bad(of.kind)).take(MOST_RANKED);
        ReportThreats {
            kinds: kinds.map(|of| ReportedCount { name: of.kind.to_string(), count: of.count }).collect(),
            rules: self.top(&bad, Dimension::Rule),
            addresses: self.top(&bad, Dimension::Address),
            routes: self.top(&bad, Dimension::Route),
            notable: notable.into_iter().map(|event| self.notable(event)).collect(),
        }
    }

    /// What strangers wrote is shown to those alone who ask for it.
    fn notable(&self, event: Event) -> NotableEvent {
        let address = event.address.map(|address| address.to_canonical().to_string());
        let client = event.details.http.map(|http| http.user_agent).filter(|client| !client.is_empty());
        let (message, address, client) = if self.personal {
            (event.message, address, client)
        } else {
            let title = event.details.finding.map_or_else(|| event.kind.to_string(), |finding| finding.title);
            (title, address.as_deref().map(masked_address), client.map(|_| MASK.into()))
        };
        let (at, kind, severity) = (event.id.moment().into(), event.kind, event.severity);
        NotableEvent { at, kind, severity, message, address, client }
    }

    fn note(&mut self, unreadable: Unreadable) {
        let days = unreadable.days.into_iter().map(|day| format!("the events of {day} cannot be read"));
        let events = (unreadable.events > 0).then(|| format!("{} events cannot be read", unreadable.events));
        days.chain(events).for_each(|said| self.miss(said));
    }

    fn miss(&mut self, what: String) {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
    }
}

const fn dimension_name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Address => "address",
        Dimension::User => "user",
        Dimension::Organization => "organisation",
        Dimension::Route => "route",
        Dimension::Kind => "type",
        Dimension::Rule => "rule",
    }
}

/// So much of an address that one can be told from most others, and nobody be found by it.
fn masked_address(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            format!("{first}.{second}.*.*")
        }
        Ok(IpAddr::V6(address)) => {
            let [first, second, ..] = address.segments();
            format!("{first:x}:{second:x}:*")
        }
        Err(_) => MASK.into(),
    }
}

/// The period piece by piece. A piece's number of the threat is that at its worst.
fn points(period: Period, before: &[Bucket], counts: &[Bucket]) -> Vec<ReportPoint> {
    let resolution = u64::from(period.resolution());
    let (start, end) = (minute(period.from) / resolution * resolution, minute(period.to));
    let size = (end - start).div_ceil(MOST_POINTS).next_multiple_of(resolution);
    // What is usual is what a day of the period before had, on the average.
    let mut usual = assessed::weigh(before);
    let length = period.length().as_secs().max(1);
    for (_, weight) in &mut usual {
        *weight = weight.saturating_mul(DAY) / length;
    }
    let mut points = Vec::new();
    for first in (start..end).step_by(usize::try_from(size).unwrap_or(usize::MAX)) {
        let last = (first + size).min(end);
        let of = |from: u64| {
            let here = counts.partition_point(|bucket| minute(bucket.start) < from);
            let behind = counts.partition_point(|bucket| minute(bucket.start) < last);
            &counts[here.min(behind)..behind]
        };
        let here = EventStatistics::of(of(first));
        let recent = of(first.saturating_sub(HOUR.as_secs() / MINUTE));
        points.push(ReportPoint {
            at: moment(first).into(),
            served: here.count(SERVED),
            refused: here.count(REFUSED),
            attacks: here.count(ATTACKS),
            failed_logins: here.count(FAILURES),
            score: worst(recent, &usual, first, last),
        });
    }
    points
}

/// The highest number within a piece: it is highest just when something has happened.
fn worst(recent: &[Bucket], usual: &[(Cause, u64)], first: u64, last: u64) -> u8 {
    let mut moments: Vec<u64> = recent.iter().map(|bucket| minute(bucket.start)).collect();
    moments.retain(|moment| (first..last).contains(moment));
    moments.dedup();
    // A busy piece is looked at eight times.
    let step = moments.len().div_ceil(8).max(1);
    let looked_at = moments.iter().copied().step_by(step).chain(moments.last().copied()).chain([first]);
    let score = |at: u64| {
        let until = recent.partition_point(|bucket| minute(bucket.start) <= at);
        assess(&assessed::inputs(&recent[..until], usual, moment(at))).score
    };
    looked_at.map(score).max().unwrap_or_default()
}

fn minute(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / MINUTE
}

fn moment(minute: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(minute * MINUTE)
}

fn configuration(event: Event) -> ConfigurationEvent {
    ConfigurationEvent {
        at: event.id.moment().into(),
        revision: event.details.subject.unwrap_or_default(),
        taken: event.kind == Kind::ConfigurationChanged,
    }
}

fn level_change(event: Event) -> LevelChange {
    LevelChange {
        at: event.id.moment().into(),
        said: event.message,
        why: event.details.explanation.unwrap_or_default(),
    }
}

fn differences(now: &EventStatistics, before: &EventStatistics) -> Vec<Difference> {
    let of = |(what, kinds): (&str, &[Kind])| Difference {
        what: what.into(),
        now: now.count(kinds),
        before: before.count(kinds),
    };
    let mut differences: Vec<_> = COMPARED.into_iter().map(of).collect();
    differences.retain(|difference| difference.now != difference.before);
    // By how many times as much, not by how many: ten more attacks are more than a thousand more requests.
    differences.sort_by_key(|difference| std::cmp::Reverse(difference.hundredths().abs_diff(100)));
    differences
}

impl Difference {
    /// How many of a hundred times as much; what was not there before counts as one.
    pub(super) fn hundredths(&self) -> u64 {
        self.now.saturating_mul(100) / self.before.max(1)
    }
}

fn people(statistics: &EventStatistics, inventory: Option<Inventory>) -> ReportPeople {
    let people = ReportPeople {
        logins: statistics.count(LOGINS),
        failures: statistics.count(FAILURES),
        pauses: statistics.count(PAUSES),
        created: statistics.count(&[Kind::AccountCreated]),
        deleted: statistics.count(&[Kind::AccountDeleted]),
        ..ReportPeople::default()
    };
    let Some(inventory) = inventory else { return people };
    ReportPeople {
        people: Some(inventory.people),
        factor_coverage: inventory.with_strong_factor.saturating_mul(100).checked_div(inventory.people),
        administrators: Some(inventory.administrators),
        administrators_without_factor: Some(inventory.administrators_without_factor.count),
        keys: Some(inventory.keys),
        invitations: Some(inventory.invitations),
        ..people
    }
}

/// What matters most, in sentences.
fn summary(report: &SecurityReport) -> Vec<String> {
    let SecurityReport { statistics, people, limits, risk, weaknesses, threats, .. } = report;
    let period = &statistics.period;
    let served = period.count(SERVED);
    let refused = period.count(REFUSED) + period.count(ATTACKS);
    let mut said = vec![
        format!(
            "The threat level was {} at its highest ({} of 100) and is {} now ({}).",
            risk.highest, risk.highest_score, risk.now.level, risk.now.score
        ),
        format!("{served} requests were served, {refused} refused, challenged or found to be attacks."),
        format!(
            "The firewall saw {} attacks, detection rules found {} things, {} requests were beyond a limit.",
            period.count(ATTACKS),
            period.count(&[Kind::DetectionMatched]),
            limits.exceeded
        ),
        format!(
            "{} logins succeeded, {} logins and tokens failed, {} accounts or addresses were paused.",
            people.logins, people.failures, people.pauses
        ),
    ];
    if let Some(first) = threats.addresses.first() {
        said.push(format!("Most of what was bad came from {} ({} events).", first.name, first.count));
    }
    let bad = weaknesses.iter().filter(|weakness| weakness.severity >= Severity::High).count();
    said.push(match (weaknesses.len(), bad) {
        (0, _) => "The last scan found no weakness.".into(),
        (all, bad) => {
            format!("The last scan found {all} weaknesses, {bad} of them of high severity or worse.")
        }
    });
    if let Some(change) = report.changes.first() {
        said.push(format!(
            "What changed most since the time before: {}, from {} to {}.",
            change.what, change.before, change.now
        ));
    }
    said
}

impl SecurityReport {
    /// As in `2026-03-01 09:30 to 2026-03-08 09:30 (UTC)`.
    pub(super) fn span(&self) -> String {
        let whole = |moment: Moment| moment.minute();
        format!("{} to {} (UTC)", whole(self.from), whole(self.to))
    }
}

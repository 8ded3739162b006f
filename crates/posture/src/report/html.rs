//! A report as one file of HTML: no scripts, nothing from elsewhere, readable on paper, by day and by night, and aloud.
//!
//! Values are the attacker's: every one goes through [`escaped`], stands in an element of its own (`bdi`), so that letters
//! of another direction turn nothing around it, and never in an attribute. Beside that the file forbids itself scripts.

use std::fmt::{Display, Write as _};

use super::{ReportPoint, ReportedCount, SecurityReport, chart};
use crate::{PartHealth, ThreatLevel};

const HEAD: &str = include_str!("head.html");

/// One file of a report.
pub fn html(report: &SecurityReport) -> String {
    let mut page = String::from(HEAD);
    let level = report.risk.now.level;
    // Writing to a text does not fail, here and below.
    let _ = write!(
        page,
        "<body><header><h1>Security report</h1><p>{}</p><p class=\"{}\">Threat level now: <strong>{level}</strong> \
         ({} of 100)</p></header><main>",
        escaped(&report.span()),
        class(level),
        report.risk.now.score
    );
    for part in [
        summary(report),
        statistics(report),
        threats(report),
        limits(report),
        people(report),
        systems(report),
        risk(report),
        recommendations(report),
        changes(report),
        missing(report),
    ] {
        page.push_str(&part);
    }
    let masked = if report.masked { "Addresses, people and sentences are masked." } else { "" };
    let _ = writeln!(
        page,
        "</main><footer><p>Made by Bartizan {} at {}. {masked}</p></footer></body></html>",
        escaped(&report.systems.version),
        report.made
    );
    page
}

fn summary(report: &SecurityReport) -> String {
    section("Executive summary", &list(&report.summary))
}

fn statistics(report: &SecurityReport) -> String {
    let statistics = &report.statistics;
    let (now, before) = (&statistics.period, &statistics.before);
    let rows = [
        ("Critical", now.critical, before.critical),
        ("High", now.high, before.high),
        ("Medium", now.medium, before.medium),
        ("Low", now.low, before.low),
        ("Informational", now.informational, before.informational),
        ("All events", now.total, before.total),
    ];
    let rows = rows.map(|(name, now, before)| vec![name.to_owned(), now.to_string(), before.to_string()]);
    let severities = table("Events by severity", &["Severity", "This period", "The period before"], rows);
    let name = "Refused requests, attacks and failed logins over time";
    let bars = chart::drawing("over-time", name, &chart::bars(&statistics.over_time));
    let legend = "<figcaption><span class=\"key refused\"></span> refused <span class=\"key attacks\"></span> attacks \
                  <span class=\"key logins\"></span> failed logins</figcaption>";
    let numbers = pieces(&statistics.over_time);
    section("Statistics", &format!("{severities}<figure>{bars}{legend}</figure>{numbers}"))
}

/// What the charts draw, for whoever does not see them.
fn pieces(points: &[ReportPoint]) -> String {
    let rows = points.iter().map(|point| {
        vec![
            point.at.minute(),
            point.served.to_string(),
            point.refused.to_string(),
            point.attacks.to_string(),
            point.failed_logins.to_string(),
            point.score.to_string(),
        ]
    });
    let head = ["From", "Served", "Refused", "Attacks", "Failed logins", "Threat"];
    format!(
        "<details><summary>The numbers of the charts</summary>{}</details>",
        table("Over time", &head, rows)
    )
}

fn threats(report: &SecurityReport) -> String {
    let threats = &report.threats;
    let mut inside: String = [
        ("Types of events", "Type", &threats.kinds),
        ("Rules", "Rule", &threats.rules),
        ("Addresses", "Address", &threats.addresses),
        ("Routes", "Route", &threats.routes),
    ]
    .into_iter()
    .map(|(caption, what, counts)| ranking(caption, what, counts))
    .collect();
    let rows = threats.notable.iter().map(|event| {
        vec![
            event.at.to_string(),
            event.severity.to_string(),
            event.kind.to_string(),
            event.message.clone(),
            event.address.clone().unwrap_or_default(),
            event.client.clone().unwrap_or_default(),
        ]
    });
    let head = ["When", "Severity", "Type", "What", "From", "Client"];
    inside.push_str(&table("The last events of high severity and above", &head, rows));
    section("Top threats", &inside)
}

fn limits(report: &SecurityReport) -> String {
    let limits = &report.limits;
    let rows = [
        ("Beyond a limit in this period", limits.exceeded),
        ("Beyond a limit in the period before", limits.exceeded_before),
        ("Requests counted in the last 24 hours", limits.seen.day_requests),
        ("Refused for a limit in the last 24 hours", limits.seen.day_refusals),
    ];
    let addresses = ranking("Addresses that were refused most", "Address", &limits.addresses);
    section("Limits", &format!("{}{addresses}", facts("Limits in numbers", rows)))
}

fn people(report: &SecurityReport) -> String {
    let people = &report.people;
    let known =
        |number: Option<u64>| number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    let coverage = people.factor_coverage.map_or_else(|| "unknown".to_owned(), |of| format!("{of} %"));
    let rows = [
        ("Logins", people.logins.to_string()),
        ("Failed logins and tokens", people.failures.to_string()),
        ("Pauses", people.pauses.to_string()),
        ("Accounts made", people.created.to_string()),
        ("Accounts deleted", people.deleted.to_string()),
        ("People", known(people.people)),
        ("With a second factor", coverage),
        ("Administrators", known(people.administrators)),
        ("Administrators without a second factor", known(people.administrators_without_factor)),
        ("API keys", known(people.keys)),
        ("Pending invitations", known(people.invitations)),
    ];
    section("People", &facts("People in numbers", rows))
}

fn systems(report: &SecurityReport) -> String {
    let systems = &report.systems;
    let rows = [
        ("Version", systems.version.clone()),
        ("Running for", format!("{} hours", systems.uptime_seconds / 3600)),
        ("Configuration", systems.revision.clone()),
        ("Changes of the configuration", systems.configuration_changes.to_string()),
    ];
    let parts = systems.parts.iter().map(|part| {
        let health = if part.health == PartHealth::Working { "working" } else { "failing" };
        vec![part.name.clone(), health.into(), part.said.clone()]
    });
    let changes = systems.configurations.iter().map(|change| {
        let outcome = if change.taken { "taken over" } else { "refused" };
        vec![change.at.to_string(), change.revision.clone(), outcome.into()]
    });
    let inside = [
        facts("What runs", rows),
        table("Parts", &["Part", "Health", "Why"], parts),
        table("Configurations", &["When", "Revision", "Outcome"], changes),
    ];
    section("Systems", &inside.concat())
}

fn risk(report: &SecurityReport) -> String {
    let risk = &report.risk;
    let name = "The number of the threat over time, as the events of the period make it";
    let scores = chart::drawing("scores", name, &chart::scores(&report.statistics.over_time));
    let reasons = risk.now.reasons.iter().map(|reason| {
        vec![
            reason.what.clone(),
            reason.counted.to_string(),
            format!("{} of {}", reason.points, reason.at_most),
        ]
    });
    let changes = risk
        .changes
        .iter()
        .map(|change| vec![change.at.to_string(), change.said.clone(), change.why.clone()]);
    let inside = [
        format!(
            "<p>At its highest: <strong>{}</strong> ({} of 100).</p><figure>{scores}<figcaption>The lines are where \
             elevated, high and critical begin.</figcaption></figure>",
            risk.highest, risk.highest_score
        ),
        table("Why it is what it is now", &["What", "Counted", "Points"], reasons),
        table("Changes of the level", &["When", "What", "Why"], changes),
    ];
    section("Risk", &inside.concat())
}

fn recommendations(report: &SecurityReport) -> String {
    let rows = report
        .recommendations
        .iter()
        .map(|advice| vec![advice.severity.to_string(), advice.why.clone(), advice.what.clone()]);
    let people = report.weaknesses.iter().filter(|weakness| !weakness.people.is_empty());
    let people = people.map(|weakness| vec![weakness.said.clone(), weakness.people.join(", ")]);
    let inside = [
        table("What to do", &["Severity", "Why", "What"], rows),
        table("Whom it concerns", &["What", "Who"], people),
    ];
    section("Recommendations", &inside.concat())
}

fn changes(report: &SecurityReport) -> String {
    let rows = report.changes.iter().map(|change| {
        let times = change.hundredths();
        let times = if change.before == 0 { "new".to_owned() } else { format!("{times} %") };
        vec![change.what.clone(), change.now.to_string(), change.before.to_string(), times]
    });
    let head = ["What", "This period", "The period before", "Of what it was"];
    section("What changed since the period before", &table("Differences", &head, rows))
}

fn missing(report: &SecurityReport) -> String {
    if report.missing.is_empty() {
        return String::new();
    }
    section("What is missing in this report", &list(&report.missing))
}

fn section(title: &str, inside: &str) -> String {
    format!("<section><h2>{}</h2>{inside}</section>", escaped(title))
}

fn list(sentences: &[String]) -> String {
    let mut list = String::from("<ul>");
    for said in sentences {
        let _ = write!(list, "<li>{}</li>", value(said));
    }
    list + "</ul>"
}

fn ranking(caption: &str, what: &str, counts: &[ReportedCount]) -> String {
    let rows = counts.iter().map(|of| vec![of.name.clone(), of.count.to_string()]);
    table(caption, &[what, "Events"], rows)
}

fn facts<N: Display>(caption: &str, rows: impl IntoIterator<Item = (&'static str, N)>) -> String {
    table(
        caption,
        &["What", "Value"],
        rows.into_iter().map(|(name, fact)| vec![name.to_owned(), fact.to_string()]),
    )
}

/// A table whose first column names its rows; a sentence where there are none.
fn table(caption: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let (mut titles, mut body) = (String::new(), String::new());
    for title in head {
        let _ = write!(titles, "<th scope=\"col\">{}</th>", escaped(title));
    }
    for row in rows {
        body.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let cell = value(cell);
            let _ = if index == 0 {
                write!(body, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(body, "<td>{cell}</td>")
            };
        }
        body.push_str("</tr>");
    }
    let caption = escaped(caption);
    if body.is_empty() {
        return format!("<p class=\"none\">{caption}: none.</p>");
    }
    format!(
        "<table><caption>{caption}</caption><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    )
}

const fn class(level: ThreatLevel) -> &'static str {
    match level {
        ThreatLevel::Normal => "level normal",
        ThreatLevel::Elevated => "level elevated",
        ThreatLevel::High => "level high",
        ThreatLevel::Critical => "level critical",
    }
}

/// A value of whoever it is from, apart from what stands around it.
fn value(text: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(text))
}

/// A text as HTML. Control characters, which no document of XML can have either, are shown as such.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

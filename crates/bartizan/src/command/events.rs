//! `bartizan events`: what happened, and what happens.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bartizan_control::{FoundEvents, Timestamp, UnreadableEvents};
use clap::Args;
use serde_json::Value;

use crate::{
    admin::{AdminClient, AdminOptions},
    command::addresses::duration,
    follow::follow,
    output::{ATTENTION, BAD, Cell, FAINT, PLAIN, Table, complain, line, print},
};

/// Show events: refusals, logins, attacks and changes, the newest first.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan events --since 1h --severity medium\n  bartizan events --type \
                  authentication_failed,account_paused --address 203.0.113.0/24\n  bartizan events --follow --json\n  \
                  bartizan events --since 7d --csv --limit 100000 > events.csv"
)]
pub(crate) struct Events {
    /// Of the last so long: seconds, or a number with `s`, `m`, `h` or `d`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Of these types, as in `authentication_failed`, separated by commas.
    #[arg(long = "type", value_name = "TYPES")]
    kinds: Option<String>,
    /// Of these classes of OCSF, as in `authentication` or `3002`, separated by commas.
    #[arg(long, value_name = "CLASSES")]
    class: Option<String>,
    /// At least so bad: `informational`, `low`, `medium`, `high` or `critical`.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// From this address or prefix.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// By this user.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// For this organisation.
    #[arg(long = "org", value_name = "ID")]
    organization: Option<String>,
    /// By the route with this path, as the configuration writes it.
    #[arg(long, value_name = "PATH")]
    route: Option<String>,
    /// That this rule of the firewall matched.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Of the request with this id.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// With these words in the message or the details.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Without what is about people: addresses, names, paths.
    #[arg(long)]
    masked: bool,
    /// Show events as they happen, until it is interrupted.
    #[arg(long, conflicts_with_all = ["since", "limit"])]
    follow: bool,
    /// The oldest first, as other programs want them; `--json` and `--csv` begin with the oldest anyway.
    #[arg(long, conflicts_with_all = ["follow", "newest_first"])]
    oldest_first: bool,
    /// The newest first, also with `--json` and `--csv`.
    #[arg(long, conflicts_with = "follow")]
    newest_first: bool,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    admin: AdminOptions,
}

/// How events are printed.
#[derive(Debug, Clone, Copy, Args)]
struct Form {
    /// Print each event on a line of its own, as JSON in the shape of OCSF.
    #[arg(long)]
    json: bool,
    /// Print comma-separated values (RFC 4180).
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// The most events of one page.
const PAGE: u32 = 1000;

/// The columns, and where their values are. Those of CSV have the names of the fields.
const COLUMNS: [(&str, &str); 8] = [
    ("WHEN", "time"),
    ("SEVERITY", "severity_id"),
    ("TYPE", "bartizan.event"),
    ("FROM", "src_endpoint.ip"),
    ("BY", "actor.user.uid"),
    ("ROUTE", "bartizan.route"),
    ("REQUEST", "metadata.correlation_uid"),
    ("MESSAGE", "message"),
];
/// For tables that grow.
const WIDTHS: [usize; 8] = [24, 13, 24, 15, 12, 16, 36, 0];

impl Events {
    pub(crate) async fn run(self) -> Result<()> {
        let client = self.admin.client()?;
        let query = self.query();
        if self.follow {
            let form = self.form;
            let begin = || form.print_head();
            return follow(&client, "v1/events/stream", &query, begin, |event| form.print_one(event)).await;
        }
        self.list(&client, query).await
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("type", &self.kinds),
            ("class", &self.class),
            ("severity", &self.severity),
            ("address", &self.address),
            ("user", &self.user),
            ("organization", &self.organization),
            ("route", &self.route),
            ("rule", &self.rule),
            ("request", &self.request),
            ("text", &self.text),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
        texts.chain(self.masked.then(|| ("masked", "true".to_owned()))).collect()
    }

    /// What rules are tried with, and whatever else goes through events, goes with time.
    fn is_oldest_first(&self) -> bool {
        self.oldest_first || (!self.newest_first && (self.form.json || self.form.csv))
    }

    /// Page after page, each printed as it comes.
    async fn list(&self, client: &AdminClient, mut query: Vec<(&'static str, String)>) -> Result<()> {
        let since = self.since.and_then(|since| SystemTime::now().checked_sub(since));
        query.extend(since.map(|since| ("since", Timestamp::from(since).to_string())));
        if self.is_oldest_first() {
            query.push(("oldest_first", "true".to_owned()));
        }
        let (mut left, mut after, mut is_first) = (self.limit, None, true);
        loop {
            let mut page = query.clone();
            page.push(("limit", left.min(PAGE).to_string()));
            page.extend(after.take().map(|after| ("after", after)));
            let found: FoundEvents = client.get("v1/events", &page).await?;
            self.form.print(&found.events, is_first)?;
            is_first = false;
            if let Some(unreadable) = &found.unreadable {
                complain(missing(unreadable));
            }
            left = left.saturating_sub(u32::try_from(found.events.len()).unwrap_or(u32::MAX));
            after = found.next;
            if left == 0 || after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Form {
    fn print(self, events: &[Value], is_first: bool) -> Result<()> {
        if is_first {
            self.print_head()?;
        }
        if self.json || self.csv {
            return events.iter().try_for_each(|event| self.print_one(event));
        }
        if events.is_empty() {
            return if is_first { print("nothing of this kind has happened") } else { Ok(()) };
        }
        let mut table = Table::new(&COLUMNS.map(|(title, _)| title));
        for event in events {
            table.row(cells(event));
        }
        print(table)
    }

    /// What stands above lines of CSV.
    fn print_head(self) -> Result<()> {
        if self.csv { print(COLUMNS.map(|(_, path)| path).join(",")) } else { Ok(()) }
    }

    /// As one line, which fits below others.
    fn print_one(self, event: &Value) -> Result<()> {
        if self.json {
            print(event)
        } else if self.csv {
            print(COLUMNS.map(|(_, path)| quoted(&shown(event, path))).join(","))
        } else {
            print(line(&cells(event), &WIDTHS))
        }
    }
}

fn cells(event: &Value) -> [Cell; 8] {
    let style = match event["severity_id"].as_u64() {
        Some(4..) => BAD,
        Some(3) => ATTENTION,
        _ => PLAIN,
    };
    COLUMNS.map(|(_, path)| {
        let style = match path {
            "severity_id" | "bartizan.event" => style,
            "metadata.correlation_uid" => FAINT,
            _ => PLAIN,
        };
        Cell::new(style, shown(event, path))
    })
}

/// What stands at a path, for a person.
fn shown(event: &Value, path: &str) -> String {
    let value = path.split('.').fold(event, |value, step| &value[step]);
    match (path, value) {
        (_, Value::Null) => String::new(),
        ("time", time) => {
            let since_epoch = Duration::from_millis(time.as_u64().unwrap_or_default());
            Timestamp::from(SystemTime::UNIX_EPOCH + since_epoch).to_string()
        }
        ("severity_id", Value::Number(number)) => {
            let number = number.as_u64().and_then(|number| u8::try_from(number).ok());
            let severity = number.and_then(bartizan_events::Severity::from_number);
            severity.map(|severity| severity.to_string()).unwrap_or_default()
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}

/// What a page does not show.
pub(super) fn missing(unreadable: &UnreadableEvents) -> String {
    let days = unreadable.days.iter().map(|day| format!("the events of {day}"));
    let events = (unreadable.events > 0).then(|| format!("{} events", unreadable.events));
    let what: Vec<_> = days.chain(events).collect();
    format!("missing, because they cannot be read: {}", what.join(", "))
}

/// A field of CSV. What a spreadsheet would take for a formula is not one: messages hold what strangers sent.
fn quoted(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_csv_are_no_formulas_and_keep_their_commas() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a, b", "\"a, b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("-1", "'-1"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn other_programs_get_the_oldest_first() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            events: Events,
        }

        for (line, is_oldest_first) in [
            ("events", false),
            ("events --oldest-first", true),
            ("events --json", true),
            ("events --csv", true),
            ("events --json --newest-first", false),
        ] {
            let parsed = <Line as clap::Parser>::try_parse_from(line.split(' '));
            let parsed = parsed.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(parsed.events.is_oldest_first(), is_oldest_first, "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let unreadable = UnreadableEvents { days: vec!["2026-11-22".into()], events: 3 };
        let expected = "missing, because they cannot be read: the events of 2026-11-22, 3 events";
        assert_eq!(missing(&unreadable), expected);
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        let event = json!({
            "time": 1_790_000_000_125_u64,
            "severity_id": 3,
            "bartizan": { "event": "attack_detected" },
            "src_endpoint": { "ip": "***" },
        });
        let shown = COLUMNS.map(|(_, path)| shown(&event, path));
        let expected = ["2026-09-21T14:13:20.125Z", "medium", "attack_detected", "***", "", "", "", ""]
            .map(str::to_owned);
        assert_eq!(shown, expected);
    }
}

//! Whom the gateway tells of what happens.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use bartizan_model::Name;
use http::{HeaderName, HeaderValue, Method};
use schemars::JsonSchema;
use secrecy::{SecretSlice, SecretString};
use serde::Deserialize;

use crate::{Mail, PathPattern};

/// `alerts:`.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// The ways to tell somebody.
    pub channels: Vec<AlertChannel>,
    /// Who is on call when.
    pub rotations: Vec<Rotation>,
    /// Who is told of what, in order. Never empty.
    pub routes: Vec<AlertRoute>,
    /// The page of a request, with `{request}` where its id belongs.
    pub link: Option<String>,
    /// How long resolved alerts are kept.
    pub retention: Duration,
}

/// A way to tell somebody.
#[derive(Debug, Clone)]
pub struct AlertChannel {
    /// Its name.
    pub name: Name,
    /// Where it leads.
    pub target: ChannelTarget,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Where a channel leads.
#[derive(Debug, Clone)]
pub enum ChannelTarget {
    /// To addresses of mail.
    Mail {
        /// The addresses.
        to: Vec<String>,
        /// How it is sent; its `base_url` is not used.
        mail: Mail,
    },
    /// To an incoming webhook of Slack.
    Slack {
        /// The URL, which is the secret.
        url: SecretString,
    },
    /// To a service of the operator's, signed (RFC 9421).
    Webhook {
        /// Where it is.
        url: String,
        /// What posts are signed with.
        secret: SecretSlice<u8>,
    },
    /// To the Events API v2 of `PagerDuty`.
    PagerDuty {
        /// Where the API is, without a slash at the end.
        url: String,
        /// The integration key.
        key: SecretString,
    },
    /// To the Alert API of Opsgenie.
    Opsgenie {
        /// Where the API is, without a slash at the end.
        url: String,
        /// The API key.
        key: SecretString,
    },
    /// To whatever takes a call over HTTP.
    Template(CallTemplate),
}

/// A call over HTTP, written out, with placeholders.
#[derive(Debug, Clone)]
pub struct CallTemplate {
    /// Where to. Its origin has no placeholders.
    pub url: String,
    /// The method.
    pub method: Method,
    /// The headers; there is one `content-type` among them.
    pub headers: Vec<(HeaderName, String)>,
    /// The content; `None` is none.
    pub body: Option<String>,
    /// How what is put into the content is escaped.
    pub escaping: Escaping,
    /// What `{secret}` is replaced by.
    pub secret: Option<SecretString>,
}

/// How a value is escaped that becomes part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// As inside a text of JSON.
    Json,
    /// Percent-encoded.
    Percent,
    /// For XML and HTML.
    Markup,
    /// Control characters become spaces.
    Plain,
}

impl CallTemplate {
    /// The placeholders that there are.
    pub const PLACEHOLDERS: [&str; 18] = [
        "id",
        "reason",
        "title",
        "message",
        "severity",
        "count",
        "first",
        "last",
        "address",
        "user",
        "organization",
        "route",
        "rule",
        "author",
        "request",
        "link",
        "summary",
        "secret",
    ];

    /// The text with every placeholder replaced by what `value` says; `Err` is the name of one that is none. `{{` is a
    /// brace, and so is one that begins no placeholder, as in JSON.
    pub fn fill(text: &str, mut value: impl FnMut(&str) -> String) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            filled.push_str(before);
            let length = behind.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(behind.len());
            let (name, end) = behind.split_at(length);
            match end.strip_prefix('}') {
                Some(end) if !name.is_empty() => {
                    if !Self::PLACEHOLDERS.contains(&name) {
                        return Err(name.to_owned());
                    }
                    filled.push_str(&value(name));
                    rest = end;
                }
                _ => {
                    filled.push('{');
                    rest = behind.strip_prefix('{').unwrap_or(behind);
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Who is on call when.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Its name.
    pub name: Name,
    /// The channels of each member, in the order of their turns. Never empty.
    pub members: Vec<Vec<Name>>,
    /// How long a turn lasts.
    pub every: Duration,
    /// When the first turn began.
    pub from: SystemTime,
    /// Who stands in; of several that hold the last counts.
    pub overrides: Vec<RotationOverride>,
}

/// Who stands in for a time.
#[derive(Debug, Clone)]
pub struct RotationOverride {
    /// From when.
    pub from: SystemTime,
    /// Until when.
    pub until: SystemTime,
    /// The channels of who stands in.
    pub to: Vec<Name>,
}

impl Rotation {
    /// The channels of who is on call. Before the first turn that is who has it.
    pub fn on_call(&self, now: SystemTime) -> &[Name] {
        let holds = |instead: &&RotationOverride| instead.from <= now && now < instead.until;
        if let Some(instead) = self.overrides.iter().rev().find(holds) {
            return &instead.to;
        }
        let turn = self.every.as_millis().max(1);
        let passed = now.duration_since(self.from).unwrap_or_default().as_millis() / turn;
        let members = self.members.len().max(1) as u128;
        let index = usize::try_from(passed % members).unwrap_or(0);
        self.members.get(index).map_or(&[], Vec::as_slice)
    }
}

/// Who is told of what.
#[derive(Debug, Clone)]
pub struct AlertRoute {
    /// Its name: in alerts, and where they are grouped.
    pub name: Name,
    /// At least so bad.
    pub severity: AlertSeverity,
    /// Only events of these types; empty: of all.
    pub kinds: Vec<String>,
    /// Only what these rules have found; empty: everything.
    pub rules: Vec<String>,
    /// Only requests of these routes; empty: everything.
    pub paths: Vec<PathPattern>,
    /// Only for these organisations; empty: for all.
    pub organizations: Vec<String>,
    /// Only at these times; `None`: always.
    pub when: Option<AlertTimes>,
    /// Who is told: names of channels and rotations.
    pub to: Vec<Name>,
    /// Whether routes behind it are asked, too.
    pub goes_on: bool,
    /// What events of one alert have in common.
    pub group_by: Vec<AlertGrouping>,
    /// How long the first notification waits.
    pub wait: Duration,
    /// How soon it is told again.
    pub repeat: Duration,
    /// How many notifications at most in `limit_window`.
    pub limit: NonZeroU32,
    /// The time that `limit` is about.
    pub limit_window: Duration,
    /// When an alert of which nothing more comes is resolved.
    pub resolve_after: Duration,
    /// Who else is told while nobody acknowledges, in order.
    pub escalate: Vec<Escalation>,
}

/// A further step while nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// So long behind the first notification.
    pub after: Duration,
    /// Who is told.
    pub to: Vec<Name>,
}

/// Times of the day and the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTimes {
    /// On these days; empty: every day.
    pub days: Vec<AlertDay>,
    /// From this minute of the day.
    pub from: u16,
    /// Before this minute; where it is not after `from`, the next day's.
    pub until: u16,
    /// The offset of local time to UTC in minutes.
    pub utc_offset: i16,
}

impl AlertTimes {
    /// Whether this moment is one of them. A night belongs to the day on which it begins.
    pub fn hold(&self, now: SystemTime) -> bool {
        const DAY: i64 = 24 * 60;
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
        let local = i64::try_from(since).unwrap_or(i64::MAX / 2) + i64::from(self.utc_offset);
        let (day, minute) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        let is_on = |day: i64| self.days.is_empty() || self.days.contains(&AlertDay::of(day));
        if from < until {
            return is_on(day) && (from..until).contains(&minute);
        }
        (minute >= from && is_on(day)) || (minute < until && is_on(day - 1))
    }
}

/// How bad an event is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Everything.
    Informational = 1,
    /// Of interest when there is more of it.
    Low = 2,
    /// Somebody should know.
    Medium = 3,
    /// Somebody should look soon.
    High = 4,
    /// Somebody should look now.
    Critical = 5,
}

/// What events of one alert have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertGrouping {
    /// The rule that has found it.
    Rule,
    /// The type of event.
    Kind,
    /// Where it came from.
    Address,
    /// Who did it.
    User,
    /// For which organisation.
    Organization,
    /// By which route of the gateway.
    Route,
}

impl AlertGrouping {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Kind => "kind",
            Self::Address => "address",
            Self::User => "user",
            Self::Organization => "organization",
            Self::Route => "route",
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they say it themselves")]
pub enum AlertDay {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl AlertDay {
    /// The day so many days behind the first of January 1970, a Thursday.
    fn of(day: i64) -> Self {
        const FROM_THURSDAY: [AlertDay; 7] = [
            AlertDay::Thursday,
            AlertDay::Friday,
            AlertDay::Saturday,
            AlertDay::Sunday,
            AlertDay::Monday,
            AlertDay::Tuesday,
            AlertDay::Wednesday,
        ];
        FROM_THURSDAY[usize::try_from(day.rem_euclid(7)).unwrap_or(0)]
    }
}

/// Whether a text can be the value of a header once placeholders are filled in.
pub(crate) fn is_header_value(text: &str) -> bool {
    HeaderValue::from_str(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap().into()
    }

    #[test]
    fn turns_hand_over_exactly_across_days() {
        let name = |name: &str| name.parse::<Name>().unwrap();
        let mut rotation = Rotation {
            name: name("on-call"),
            members: vec![vec![name("ann")], vec![name("bob")], vec![name("cas")]],
            every: Duration::from_hours(24),
            from: at("2026-01-05T09:00:00+01:00"),
            overrides: Vec::new(),
        };
        let cases = [
            ("2026-01-01T00:00:00Z", "ann"),
            ("2026-01-05T08:00:00Z", "ann"),
            ("2026-01-06T07:59:59.999Z", "ann"),
            ("2026-01-06T08:00:00Z", "bob"),
            ("2026-01-07T08:00:00Z", "cas"),
            ("2026-01-08T08:00:00Z", "ann"),
            ("2027-01-05T08:00:00Z", "cas"),
        ];
        for (moment, who) in cases {
            assert_eq!(rotation.on_call(at(moment)), [name(who)], "{moment}");
        }
        let (from, until) = (at("2026-01-06T10:00:00Z"), at("2026-01-06T12:00:00Z"));
        rotation.overrides.push(RotationOverride { from, until, to: vec![name("dee")] });
        for (moment, who) in [
            ("2026-01-06T09:59:59Z", "bob"),
            ("2026-01-06T10:00:00Z", "dee"),
            ("2026-01-06T12:00:00Z", "bob"),
        ] {
            assert_eq!(rotation.on_call(at(moment)), [name(who)], "{moment}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let times =
            AlertTimes { days: vec![AlertDay::Friday], from: 22 * 60, until: 6 * 60, utc_offset: 120 };
        // The second of January 2026 is a Friday.
        for (moment, holds) in [
            ("2026-01-02T21:59:00+02:00", false),
            ("2026-01-02T22:00:00+02:00", true),
            ("2026-01-03T05:59:00+02:00", true),
            ("2026-01-03T06:00:00+02:00", false),
            ("2026-01-03T22:00:00+02:00", false),
            ("2026-01-02T03:00:00+02:00", false),
        ] {
            assert_eq!(times.hold(at(moment)), holds, "{moment}");
        }
        let whole = AlertTimes { days: Vec::new(), from: 0, until: 24 * 60, utc_offset: 0 };
        assert!(whole.hold(at("2026-01-03T23:59:59Z")));
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let fill = |text: &str| CallTemplate::fill(text, |name| format!("<{name}>"));
        for (text, expected) in [
            (r#"{"text": "{severity}: {title}"}"#, Ok(r#"{"text": "<severity>: <title>"}"#.to_owned())),
            (r#"{"a":{"b":1}}"#, Ok(r#"{"a":{"b":1}}"#.to_owned())),
            (r#"{"a":{"b":"{id}"}}"#, Ok(r#"{"a":{"b":"<id>"}}"#.to_owned())),
            ("{{id} {{}}", Ok("{id} {}}".to_owned())),
            ("{password}", Err("password".to_owned())),
            ("ü{id", Ok("ü{id".to_owned())),
            ("{", Ok("{".to_owned())),
        ] {
            assert_eq!(fill(text), expected, "{text}");
        }
    }
}

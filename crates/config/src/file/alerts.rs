//! `alerts:`.

use std::{path::PathBuf, time::Duration};

use bartizan_model::Name;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Entries, Smtp};
use crate::{
    AlertDay, AlertGrouping, AlertSeverity, PathPattern,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::{HeaderText, Moment, Rate, SecretText, TimeOfDay, Url, UtcOffset},
};

/// Whom the gateway tells of what happens, and how.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// The ways to tell somebody, by names that routes list under `to`.
    pub(crate) channels: Optional<Entries<Channel>>,
    /// Who is on call when, by names that routes list under `to`.
    pub(crate) rotations: Optional<Entries<Rotation>>,
    /// Who is told of what, in this order: the first that fits, and those behind it as long as one says `continue`.
    /// Without routes everything high and critical goes to every channel.
    pub(crate) routes: Optional<Vec<At<AlertRoute>>>,
    /// The page of a request, for links in alerts: `{request}` becomes its id.
    #[schemars(extend("examples" = ["https://console.shop.test/requests/{request}"]))]
    pub(crate) link: Optional<Parsed<Url>>,
    /// How mail is sent. Without it as `accounts.mail` says.
    pub(crate) mail: Optional<AlertMail>,
    /// How long resolved alerts are kept, 1 day to 10 years.
    #[schemars(extend("default" = "90d"))]
    pub(crate) retention: Optional<Parsed<Duration>>,
}

/// How mail is sent: with `smtp` through a server, with `file` into a folder, for development.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["from"]))]
pub(crate) struct AlertMail {
    /// Whom messages are from: an address, or a name and an address.
    #[schemars(extend("examples" = ["Gateway <alerts@shop.test>"]))]
    pub(crate) from: At<Parsed<String>>,
    /// The server that takes messages.
    #[serde(default)]
    pub(crate) smtp: Optional<Smtp>,
    /// A folder into which every message is written as a file, instead of being sent.
    #[serde(default)]
    pub(crate) file: Optional<Parsed<PathBuf>>,
}

/// A way to tell somebody: exactly one kind, and what it needs.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "AlertChannel")]
pub(crate) struct Channel {
    /// Mail to these addresses.
    #[schemars(extend("examples" = [["security@shop.test"]]))]
    pub(crate) mail: Optional<Parsed<OneOrMany<String>>>,
    /// A Slack channel, by an incoming webhook: its URL is the secret.
    pub(crate) slack: Optional<SlackChannel>,
    /// A service of yours, to which every notification is posted as JSON and signed.
    pub(crate) webhook: Optional<WebhookChannel>,
    /// `PagerDuty`, by its Events API v2: the secret is the integration key.
    pub(crate) pagerduty: Optional<KeyedChannel>,
    /// Opsgenie, by its Alert API: the secret is the API key.
    pub(crate) opsgenie: Optional<KeyedChannel>,
    /// Any other call over HTTP, written out: SMS gateways, tickets.
    pub(crate) template: Optional<TemplateChannel>,
    /// How long an answer may take, at most 30 s.
    #[schemars(extend("default" = "10s"))]
    pub(crate) timeout: Optional<Parsed<Duration>>,
}

/// A Slack channel.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SlackChannel {
    /// The URL of the incoming webhook.
    pub(crate) secret: Optional<Parsed<SecretText>>,
    /// A file that holds it. Other users must not be able to read it.
    pub(crate) secret_file: Optional<Parsed<PathBuf>>,
}

/// A service of yours.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct WebhookChannel {
    /// Where notifications are posted to.
    #[schemars(extend("examples" = ["https://hooks.shop.test/alerts"]))]
    pub(crate) url: At<Parsed<Url>>,
    /// What each post is signed with: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, over method, URL,
    /// `content-type`, `idempotency-key` and `content-digest`, with the time in `created`. At least 32 bytes.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<SecretText>>,
    /// A file that holds it. Other users must not be able to read it.
    #[serde(default)]
    pub(crate) secret_file: Optional<Parsed<PathBuf>>,
}

/// A service that is opened by a key.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeyedChannel {
    /// The key.
    pub(crate) secret: Optional<Parsed<SecretText>>,
    /// A file that holds it. Other users must not be able to read it.
    pub(crate) secret_file: Optional<Parsed<PathBuf>>,
    /// Where the API is, where it is not at its usual place: `https://api.eu.opsgenie.com` for Europe.
    pub(crate) url: Optional<Parsed<Url>>,
}

/// A call over HTTP, written out.
///
/// `{id}`, `{reason}`, `{title}`, `{message}`, `{severity}`, `{count}`, `{first}`, `{last}`, `{address}`, `{user}`,
/// `{organization}`, `{route}`, `{rule}`, `{author}`, `{request}`, `{link}`, `{summary}` and `{secret}` are replaced, escaped
/// for where they stand; `{{` is a brace.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct TemplateChannel {
    /// Where to. Placeholders may stand in path and query; there they are percent-encoded.
    #[schemars(extend("examples" = ["https://sms.example/send?to=%2B49123456"]))]
    pub(crate) url: At<Parsed<String>>,
    /// The method: `POST`, `PUT`, `PATCH` or `GET`.
    #[serde(default)]
    #[schemars(extend("default" = "POST"))]
    pub(crate) method: Optional<Parsed<String>>,
    /// Headers. Without a `content-type` it is `application/json`.
    #[serde(default)]
    pub(crate) headers: Optional<Entries<Parsed<HeaderText>>>,
    /// The content. Placeholders are escaped as `content-type` asks: JSON, a form, XML, or plain text.
    #[serde(default)]
    #[schemars(extend("examples" = [r#"{"text": "{severity}: {summary}"}"#]))]
    pub(crate) body: Optional<Parsed<String>>,
    /// What `{secret}` is replaced by.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<SecretText>>,
    /// A file that holds it. Other users must not be able to read it.
    #[serde(default)]
    pub(crate) secret_file: Optional<Parsed<PathBuf>>,
}

/// Who is on call when: members take turns.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["members", "every", "from"]))]
pub(crate) struct Rotation {
    /// Each the channels of one person, in the order of their turns.
    #[schemars(extend("examples" = [[["ann-mail", "ann-sms"], ["bob-pager"]]]))]
    pub(crate) members: At<Vec<At<Parsed<OneOrMany<Name>>>>>,
    /// How long a turn lasts, from an hour.
    pub(crate) every: At<Parsed<Duration>>,
    /// When the first turn began. Later ones begin exactly so many turns behind it.
    pub(crate) from: At<Parsed<Moment>>,
    /// Who stands in for whom for a time.
    #[serde(default)]
    pub(crate) overrides: Optional<Vec<At<RotationOverride>>>,
}

/// Who stands in for a time. Of several that hold the last counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationOverride {
    /// From when.
    pub(crate) from: At<Parsed<Moment>>,
    /// Until when.
    pub(crate) until: At<Parsed<Moment>>,
    /// The channels of who stands in.
    pub(crate) to: At<Parsed<OneOrMany<Name>>>,
}

/// Who is told of what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["to"]))]
pub(crate) struct AlertRoute {
    /// Names it in alerts. Default: `route-1` and so on, by its place.
    #[serde(default)]
    pub(crate) name: Optional<Parsed<Name>>,
    /// At least so bad.
    #[serde(default)]
    #[schemars(extend("default" = "high"))]
    pub(crate) severity: Optional<AlertSeverity>,
    /// Only events of these types.
    #[serde(default)]
    #[schemars(extend("examples" = [["detection_matched", "attack_detected"]]))]
    pub(crate) kinds: Optional<Vec<At<Parsed<String>>>>,
    /// Only what these rules have found, by id.
    #[serde(default)]
    pub(crate) rules: Optional<Vec<At<Parsed<String>>>>,
    /// Only requests of these routes, as the routes write their paths.
    #[serde(default)]
    #[schemars(extend("examples" = [["/admin/**"]]))]
    pub(crate) paths: Optional<Vec<At<Parsed<PathPattern>>>>,
    /// Only for these organisations, by id.
    #[serde(default)]
    pub(crate) organizations: Optional<Vec<At<Parsed<String>>>>,
    /// Only at these times.
    #[serde(default)]
    pub(crate) when: Optional<AlertTimes>,
    /// Who is told: names of channels and rotations. An empty list tells nobody; the alert is kept all the same.
    pub(crate) to: At<Parsed<OneOrMany<Name>>>,
    /// Whether routes behind it are asked, too.
    #[serde(default, rename = "continue")]
    #[schemars(extend("default" = false))]
    pub(crate) goes_on: Optional<Parsed<bool>>,
    /// What events of one alert have in common.
    #[serde(default)]
    #[schemars(extend("default" = ["kind", "rule", "address"]))]
    pub(crate) group_by: Optional<Vec<At<AlertGrouping>>>,
    /// How long the first notification waits for more of the same.
    #[serde(default)]
    #[schemars(extend("default" = "10s"))]
    pub(crate) wait: Optional<Parsed<Duration>>,
    /// How soon an alert that nobody has acknowledged is told again, from a minute.
    #[serde(default)]
    #[schemars(extend("default" = "4h"))]
    pub(crate) repeat: Optional<Parsed<Duration>>,
    /// How many notifications at most. What is held back is told in the next one.
    #[serde(default)]
    #[schemars(extend("default" = "60/h"))]
    pub(crate) limit: Optional<Parsed<Rate>>,
    /// An alert of which nothing more has come for so long is resolved, from a minute.
    #[serde(default)]
    #[schemars(extend("default" = "1h"))]
    pub(crate) resolve_after: Optional<Parsed<Duration>>,
    /// Who else is told while nobody acknowledges, in the order of `after`.
    #[serde(default)]
    pub(crate) escalate: Optional<Vec<At<Escalation>>>,
}

/// Times of the day and the week.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertTimes {
    /// On these days. Default: every day.
    pub(crate) days: Optional<Vec<At<AlertDay>>>,
    /// From this time of the day.
    #[schemars(extend("default" = "00:00"))]
    pub(crate) from: Optional<Parsed<TimeOfDay>>,
    /// Before this time. Where it is not after `from`, the next day's.
    #[schemars(extend("default" = "24:00"))]
    pub(crate) until: Optional<Parsed<TimeOfDay>>,
    /// The offset of local time to UTC.
    #[schemars(extend("default" = "+00:00"))]
    pub(crate) utc_offset: Optional<Parsed<UtcOffset>>,
}

/// A further step while nobody acknowledges.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Escalation {
    /// So long behind the first notification.
    pub(crate) after: At<Parsed<Duration>>,
    /// Who is told: names of channels and rotations.
    pub(crate) to: At<Parsed<OneOrMany<Name>>>,
}

//! `PagerDuty`, by its Events API v2 (<https://developer.pagerduty.com/docs/send-alert-event>).

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::Call;
use crate::{Notice, Reason, notice::pagerduty_severity};

/// Of a summary, in characters.
const SUMMARY: usize = 1024;

pub(super) fn call(url: &str, key: &SecretString, notice: &Notice) -> Call {
    let alert = &notice.alert;
    let action = match notice.reason {
        Reason::Acknowledged => "acknowledge",
        Reason::Resolved => "resolve",
        _ => "trigger",
    };
    let mut content = json!({
        "routing_key": key.expose_secret(),
        "event_action": action,
        // Whatever is said of one alert is one incident there.
        "dedup_key": alert.id,
    });
    if action == "trigger" {
        let summary: String = notice.summary().chars().take(SUMMARY).collect();
        let details: Map<String, Value> =
            notice.facts().into_iter().map(|(label, value)| (label.to_owned(), value.into())).collect();
        content["payload"] = json!({
            "summary": summary,
            "source": notice.common("address").unwrap_or("bartizan"),
            "severity": pagerduty_severity(alert.severity()),
            "timestamp": alert.tally.last.to_string(),
            "component": "bartizan",
            "group": alert.route,
            "class": alert.tally.example.kind.as_str(),
            "custom_details": details,
        });
        if let Some(link) = &notice.link {
            content["links"] = json!([{ "href": link, "text": "The request" }]);
        }
    }
    Call::json(format!("{url}/v2/enqueue"), &content)
}

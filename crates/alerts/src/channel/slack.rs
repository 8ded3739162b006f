//! Slack, by an incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
//!
//! Values stand in texts of the type `plain_text`, which Slack shows as they are: nobody can write links or call
//! `@channel` through a path. Only the line for notifications is escaped, as Slack asks for.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Call;
use crate::Notice;

/// Of a header, and of a field, in characters.
const HEADER: usize = 150;
const FIELD: usize = 2000;
/// Of one section.
const FIELDS: usize = 10;

pub(super) fn call(url: &SecretString, notice: &Notice) -> Call {
    let plain = |text: &str, most: usize| {
        let text: String = text.chars().take(most).collect();
        json!({ "type": "plain_text", "text": text, "emoji": false })
    };
    let summary = notice.summary();
    let mut blocks = vec![json!({ "type": "header", "text": plain(&summary, HEADER) })];
    for facts in notice.facts().chunks(FIELDS) {
        let fields: Vec<_> =
            facts.iter().map(|(label, value)| plain(&format!("{label}: {value}"), FIELD)).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let content = json!({ "text": escaped(&summary), "mrkdwn": false, "blocks": blocks });
    Call::json(url.expose_secret().to_owned(), &content)
}

/// The three characters that Slack gives a meaning in any text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

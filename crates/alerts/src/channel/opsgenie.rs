//! Opsgenie, by its Alert API (<https://docs.opsgenie.com/docs/alert-api>).

use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{Call, NotDelivered};
use crate::{Notice, Reason, notice::opsgenie_priority};

/// Of a message and a description, in characters.
const MESSAGE: usize = 130;
const DESCRIPTION: usize = 15_000;

pub(super) fn call(url: &str, key: &SecretString, notice: &Notice) -> Result<Call, NotDelivered> {
    let alert = &notice.alert;
    let by = alert.by.as_ref();
    let answer = json!({
        "source": "bartizan",
        "user": by.map_or("bartizan", |by| by.who.as_str()),
        "note": by.and_then(|by| by.note.as_deref()).unwrap_or_default(),
    });
    // The alert's id is made of letters, digits and `-`: it needs no escaping in a path.
    let of_alias = |verb: &str| format!("{url}/v2/alerts/{}/{verb}?identifierType=alias", alert.id);
    let mut call = match notice.reason {
        Reason::Acknowledged => Call::json(of_alias("acknowledge"), &answer),
        Reason::Resolved => Call::json(of_alias("close"), &answer),
        _ => Call::json(format!("{url}/v2/alerts"), &raised(notice)),
    };
    call.header(AUTHORIZATION, &format!("GenieKey {}", key.expose_secret()), true)?;
    Ok(call)
}

fn raised(notice: &Notice) -> Value {
    let alert = &notice.alert;
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let details: Map<String, Value> =
        notice.facts().into_iter().map(|(label, value)| (label.to_owned(), value.into())).collect();
    json!({
        "message": cut(&notice.summary(), MESSAGE),
        // Whatever is said of one alert is one alert there.
        "alias": alert.id,
        "description": cut(&notice.text(), DESCRIPTION),
        "source": "bartizan",
        "entity": notice.common("address").unwrap_or("bartizan"),
        "priority": opsgenie_priority(alert.severity()),
        "tags": [alert.tally.example.kind.as_str(), alert.severity().as_str()],
        "details": details,
    })
}

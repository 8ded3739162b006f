//! Words that are given for keys, services and roles, in their one form.

use bartizan_model::{Grant, Zone};
use bartizan_store::StoreError;

use super::AccountError;

const MOST_GRANTS: usize = 100;
const LONGEST_REASON: usize = 200;

/// What is given: something, and not without end.
pub(crate) fn parse_grants(texts: &[String]) -> Result<Vec<Grant>, AccountError> {
    if texts.is_empty() || texts.len() > MOST_GRANTS {
        let detail = format!("say what it may do: 1 to {MOST_GRANTS} permissions; `*` is everything");
        return Err(AccountError::Invalid(detail));
    }
    let parsed: Result<Vec<Grant>, _> = texts.iter().map(|text| text.parse()).collect();
    let mut parsed =
        parsed.map_err(|error: bartizan_model::ModelError| AccountError::Invalid(error.to_string()))?;
    parsed.sort();
    parsed.dedup();
    Ok(parsed)
}

/// The same where nothing is an answer, too.
pub(crate) fn parse_some_grants(texts: &[String]) -> Result<Vec<Grant>, AccountError> {
    if texts.is_empty() { Ok(Vec::new()) } else { parse_grants(texts) }
}

/// A zone as it is kept; empty: the one of the provider.
pub(crate) fn stored_zone(text: &str) -> Result<Option<Zone>, StoreError> {
    let zone = (!text.is_empty()).then(|| text.parse()).transpose();
    zone.map_err(|_| StoreError::Nonsense { what: "the zone of a machine" })
}

/// How a zone is kept.
pub(crate) fn written_zone(zone: Option<Zone>) -> &'static str {
    zone.map_or("", Zone::as_str)
}

/// Why something is suspended.
pub(crate) fn check_reason(reason: &str) -> Result<&str, AccountError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control) {
        let detail = format!("say why in 1 to {LONGEST_REASON} characters, none of them a control character");
        return Err(AccountError::Invalid(detail));
    }
    Ok(reason)
}

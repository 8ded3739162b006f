//! Words that are given for keys, services and roles, in their one form.

use bartizan_model::Grant;

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

/// Why something is suspended.
pub(crate) fn check_reason(reason: &str) -> Result<&str, AccountError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.contains(char::is_control) {
        let detail = format!("say why in 1 to {LONGEST_REASON} characters, none of them a control character");
        return Err(AccountError::Invalid(detail));
    }
    Ok(reason)
}

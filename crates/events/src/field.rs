//! The fields of an event as it is written, and which of them are about people.
//!
//! The list is closed: a test fails for a field that is written and not in it, so nobody can add one without saying
//! whether it is personal. Masking goes by it, and so can whoever exports or erases what is known of a person.

use serde_json::Value;

/// A field of an event, by its path; steps are parted by dots, lists have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Where it is.
    pub path: &'static str,
    /// Whether it can say who somebody is, or what they did.
    pub is_personal: bool,
}

const fn personal(path: &'static str) -> Field {
    Field { path, is_personal: true }
}

const fn plain(path: &'static str) -> Field {
    Field { path, is_personal: false }
}

/// Every field that an event can have.
pub const FIELDS: &[Field] = &[
    plain("metadata.version"),
    plain("metadata.uid"),
    plain("metadata.correlation_uid"),
    plain("metadata.product.name"),
    plain("metadata.product.vendor_name"),
    plain("metadata.product.version"),
    plain("metadata.profiles"),
    plain("time"),
    plain("category_uid"),
    plain("class_uid"),
    plain("activity_id"),
    plain("type_uid"),
    plain("severity_id"),
    plain("action_id"),
    plain("status_id"),
    // Sentences name people, addresses and what was asked for.
    personal("status_detail"),
    personal("message"),
    personal("src_endpoint.ip"),
    plain("src_endpoint.svc_name"),
    plain("dst_endpoint.svc_name"),
    plain("dst_endpoint.hostname"),
    personal("actor.user.uid"),
    plain("actor.user.type"),
    plain("actor.user.type_id"),
    plain("actor.user.org.uid"),
    personal("actor.session.uid"),
    plain("actor.app_name"),
    personal("user.uid"),
    plain("user.name"),
    plain("user.type"),
    plain("user.type_id"),
    plain("user.org.uid"),
    personal("session.uid"),
    plain("http_request.uid"),
    plain("http_request.http_method"),
    plain("http_request.version"),
    personal("http_request.user_agent"),
    personal("http_request.referrer"),
    personal("http_request.url.path"),
    plain("http_request.url.scheme"),
    plain("http_request.url.hostname"),
    personal("http_request.url.query_string"),
    plain("http_response.code"),
    plain("http_response.latency"),
    plain("api.operation"),
    personal("resources.uid"),
    plain("finding_info.uid"),
    plain("finding_info.title"),
    plain("finding_info.desc"),
    plain("finding_info.analytic.name"),
    plain("finding_info.analytic.uid"),
    plain("finding_info.analytic.type_id"),
    plain("finding_info.analytic.type"),
    plain("finding_info.attacks.technique.uid"),
    plain("finding_info.first_seen_time"),
    plain("finding_info.last_seen_time"),
    plain("finding_info.related_events.uid"),
    personal("assignee.uid"),
    plain("assignee.type"),
    plain("assignee.type_id"),
    plain("assignee.org.uid"),
    plain("assignee_group.name"),
    plain("finding_info_list.uid"),
    plain("finding_info_list.title"),
    plain("finding_info_list.desc"),
    plain("finding_info_list.analytic.name"),
    plain("finding_info_list.analytic.uid"),
    plain("finding_info_list.analytic.type_id"),
    plain("finding_info_list.analytic.type"),
    plain("finding_info_list.attacks.technique.uid"),
    plain("finding_info_list.first_seen_time"),
    plain("finding_info_list.last_seen_time"),
    plain("finding_info_list.related_events.uid"),
    plain("count"),
    personal("evidences.src_endpoint.ip"),
    plain("bartizan.event"),
    plain("bartizan.decision"),
    plain("bartizan.service"),
    plain("bartizan.stage"),
    plain("bartizan.reason"),
    plain("bartizan.route"),
    plain("bartizan.rules"),
    plain("bartizan.score"),
    plain("bartizan.paranoia"),
    plain("bartizan.policy"),
    plain("bartizan.credential"),
    plain("bartizan.key"),
    plain("bartizan.organization"),
    plain("bartizan.tags"),
    plain("bartizan.finding.author"),
    plain("bartizan.finding.fields.name"),
    personal("bartizan.finding.fields.value"),
];

/// What stands in place of what is personal. It is neither an address nor a path.
const MASK: &str = "***";

/// An event as it is written, without what is personal.
#[must_use]
pub fn masked(mut event: Value) -> Value {
    mask(&mut event, "");
    event
}

fn mask(value: &mut Value, path: &str) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                mask(value, &path);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| mask(value, path)),
        // What no table knows is masked, too.
        leaf if FIELDS.iter().find(|field| field.path == path).is_none_or(|field| field.is_personal) => {
            *leaf = MASK.into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::samples::samples;

    fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    leaves(value, &path, found);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| leaves(value, path, found)),
            _ => {
                found.insert(path.into());
            }
        }
    }

    #[test]
    fn every_field_that_is_written_is_known_and_every_known_one_is_written() {
        let mut written = BTreeSet::new();
        for event in samples() {
            leaves(&event.ocsf(), "", &mut written);
        }
        let known: BTreeSet<_> = FIELDS.iter().map(|field| field.path.to_owned()).collect();
        assert_eq!(written, known);
        assert_eq!(known.len(), FIELDS.len(), "none stands twice");
    }

    #[test]
    fn nothing_personal_is_left_in_a_masked_event() {
        for event in samples() {
            let text = masked(event.ocsf()).to_string();
            for secret in ["192.0.2.7", "2001:db8::7", "ada-", "ada ", "of-ada", "=ada", "/letters", "curl/8"]
            {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            assert!(text.contains(event.kind.as_str()), "what is not personal stays");
        }
    }
}

//! What the gateway writes into its events: a copy of the lists of the room `events` (`FIELDS` in `field.rs`, `Kind` in
//! `kind.rs`, the objects of each class in `ocsf.rs`), so that a rule about anything else is refused when it is loaded.
//!
//! What is in those lists and that nothing writes yet is left out here: `token_refused`, `key_used_first_from_address`. So
//! is `detection_matched`: rules do not look at what rules have found.

/// Which part of the gateway an event is from: Sigma's `service`, and `bartizan.service` of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// The road of requests.
    Gateway,
    /// People, keys and tokens.
    Accounts,
    /// The admin API and the configuration.
    Admin,
}

impl Service {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Gateway, Self::Accounts, Self::Admin].into_iter().find(|service| service.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Accounts => "accounts",
            Self::Admin => "admin",
        }
    }
}

/// A class of OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// What was asked over HTTP.
    HttpActivity = 4002,
    /// Who proved to be who.
    Authentication = 3002,
    /// What has changed about an account.
    AccountChange = 3001,
    /// What was done through an API, that of the gateway itself.
    ApiActivity = 6003,
}

impl Class {
    /// Its number (`class_uid`).
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// Whether its events can have this field.
    pub(crate) fn has(self, path: &str) -> bool {
        let object = path.split_once('.').map_or("", |(object, _)| object);
        match self {
            Self::HttpActivity => !matches!(object, "user" | "session" | "api" | "resources"),
            Self::Authentication => !matches!(object, "http_response" | "api" | "resources"),
            Self::AccountChange => {
                !matches!(object, "http_response" | "session" | "dst_endpoint" | "api" | "resources")
            }
            Self::ApiActivity => !matches!(object, "http_response" | "session" | "user"),
        }
    }
}

/// A name that `bartizan.event` can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenEvent {
    /// The name.
    pub name: &'static str,
    /// The class that it is written as.
    pub class: Class,
    /// The part of the gateway that it is most often from. The event itself says which it is.
    pub service: Service,
}

const fn event(name: &'static str, class: Class, service: Service) -> WrittenEvent {
    WrittenEvent { name, class, service }
}

use Class::{AccountChange, ApiActivity, Authentication, HttpActivity};
use Service::{Accounts, Admin, Gateway};

/// Every event that rules can name.
pub const EVENTS: &[WrittenEvent] = &[
    event("request_allowed", HttpActivity, Gateway),
    event("request_refused", HttpActivity, Gateway),
    event("request_challenged", HttpActivity, Gateway),
    event("rate_limit_exceeded", HttpActivity, Gateway),
    event("attack_detected", HttpActivity, Gateway),
    event("upstream_failed", HttpActivity, Gateway),
    event("permission_denied", HttpActivity, Gateway),
    event("authentication_succeeded", Authentication, Accounts),
    event("authentication_failed", Authentication, Accounts),
    event("authentication_challenged", Authentication, Accounts),
    event("credential_stuffing_detected", Authentication, Accounts),
    event("session_started", Authentication, Accounts),
    event("session_ended", Authentication, Accounts),
    event("session_moved", Authentication, Accounts),
    event("token_issued", Authentication, Accounts),
    event("token_reused", Authentication, Accounts),
    event("token_revoked", Authentication, Accounts),
    event("account_paused", AccountChange, Accounts),
    event("password_changed", AccountChange, Accounts),
    event("password_reset_requested", AccountChange, Accounts),
    event("factor_changed", AccountChange, Accounts),
    event("role_changed", AccountChange, Accounts),
    event("account_created", AccountChange, Accounts),
    event("account_changed", AccountChange, Accounts),
    event("account_deleted", AccountChange, Accounts),
    event("key_created", ApiActivity, Accounts),
    event("key_rotated", ApiActivity, Accounts),
    event("key_suspended", ApiActivity, Accounts),
    event("key_changed", ApiActivity, Accounts),
    event("key_revoked", ApiActivity, Accounts),
    event("administrative_action", ApiActivity, Admin),
    event("configuration_changed", ApiActivity, Admin),
    event("configuration_refused", ApiActivity, Admin),
];

/// The event with this name.
pub(crate) fn of_name(name: &str) -> Option<&'static WrittenEvent> {
    EVENTS.iter().find(|event| event.name == name)
}

/// Every field that an event can have, by its path; lists have no step of their own.
pub const FIELDS: &[&str] = &[
    "metadata.version",
    "metadata.uid",
    "metadata.correlation_uid",
    "metadata.product.name",
    "metadata.product.vendor_name",
    "metadata.product.version",
    "metadata.profiles",
    "time",
    "category_uid",
    "class_uid",
    "activity_id",
    "type_uid",
    "severity_id",
    "action_id",
    "status_id",
    "status_detail",
    "message",
    "src_endpoint.ip",
    "src_endpoint.svc_name",
    "dst_endpoint.svc_name",
    "dst_endpoint.hostname",
    "actor.user.uid",
    "actor.user.type",
    "actor.user.type_id",
    "actor.user.org.uid",
    "actor.session.uid",
    "actor.app_name",
    "user.uid",
    "user.name",
    "user.type",
    "user.type_id",
    "user.org.uid",
    "session.uid",
    "http_request.uid",
    "http_request.http_method",
    "http_request.version",
    "http_request.user_agent",
    "http_request.referrer",
    "http_request.url.path",
    "http_request.url.scheme",
    "http_request.url.hostname",
    "http_request.url.query_string",
    "http_response.code",
    "http_response.latency",
    "api.operation",
    "resources.uid",
    "bartizan.event",
    "bartizan.decision",
    "bartizan.service",
    "bartizan.stage",
    "bartizan.reason",
    "bartizan.route",
    "bartizan.rules",
    "bartizan.score",
    "bartizan.paranoia",
    "bartizan.policy",
    "bartizan.credential",
    "bartizan.key",
    "bartizan.organization",
    "bartizan.tags",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_stands_twice() {
        let fields: HashSet<_> = FIELDS.iter().collect();
        let names: HashSet<_> = EVENTS.iter().map(|event| event.name).collect();
        assert_eq!((fields.len(), names.len()), (FIELDS.len(), EVENTS.len()));
    }
}

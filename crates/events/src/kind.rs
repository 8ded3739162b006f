//! What can happen: the closed list of events, with the class of OCSF that each is written as.
//!
//! Numbers stand in stored files and never change; names stand in rules and never change either.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Severity;

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
    /// What a rule has found.
    DetectionFinding = 2004,
    /// What people are told, and how far they have got with it.
    IncidentFinding = 2005,
}

impl Class {
    /// Its number (`class_uid`).
    pub const fn uid(self) -> u32 {
        self as u32
    }

    /// The number of its category (`category_uid`).
    pub const fn category(self) -> u32 {
        self.uid() / 1000
    }

    /// Its name, as filters write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpActivity => "http_activity",
            Self::Authentication => "authentication",
            Self::AccountChange => "account_change",
            Self::ApiActivity => "api_activity",
            Self::DetectionFinding => "detection_finding",
            Self::IncidentFinding => "incident_finding",
        }
    }

    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::HttpActivity,
        Self::Authentication,
        Self::AccountChange,
        Self::ApiActivity,
        Self::DetectionFinding,
        Self::IncidentFinding,
    ];
}

impl FromStr for Class {
    type Err = String;

    /// By name or number.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |class: &Self| class.as_str() == text || class.uid().to_string() == text;
        let known = || Self::ALL.map(Self::as_str).join("`, `");
        Self::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| format!("`{text}` is no class of events: write one of `{}`", known()))
    }
}

/// The part of the gateway that an event is from: what `logsource: service` of a Sigma rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The road of requests.
    Gateway,
    /// People, keys and tokens.
    Accounts,
    /// The admin API and the configuration.
    Admin,
}

impl Service {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Accounts => "accounts",
            Self::Admin => "admin",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $name:literal, $class:ident, $activity:literal, $severity:ident;)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $kind = $code,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its name (`bartizan.event`).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The class of OCSF it is written as.
            pub const fn class(self) -> Class {
                match self { $(Self::$kind => Class::$class,)* }
            }

            /// The activity within the class (`activity_id`). What was asked over HTTP has the method's instead.
            pub const fn activity(self) -> u32 {
                match self { $(Self::$kind => $activity,)* }
            }

            /// How bad it is, where nothing says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity,)* }
            }
        }
    };
}

/// What the class has no word for (`activity_id`).
pub(crate) const OTHER_ACTIVITY: u32 = 99;

kinds! {
    /// A request was served. Of these only a sample is kept; all are counted.
    RequestAllowed = 1, "request_allowed", HttpActivity, 99, Informational;
    /// A request was refused, for a reason that has no kind of its own.
    RequestRefused = 2, "request_refused", HttpActivity, 99, Low;
    /// A caller was asked for more proof.
    RequestChallenged = 3, "request_challenged", HttpActivity, 99, Low;
    /// A limit was exceeded.
    RateLimitExceeded = 4, "rate_limit_exceeded", HttpActivity, 99, Low;
    /// The firewall's rules objected.
    AttackDetected = 5, "attack_detected", HttpActivity, 99, Medium;
    /// The service behind failed.
    UpstreamFailed = 6, "upstream_failed", HttpActivity, 99, Low;
    /// A proven caller asked for what it may not.
    PermissionDenied = 7, "permission_denied", HttpActivity, 99, Medium;
    /// Somebody proved to be who they say.
    AuthenticationSucceeded = 20, "authentication_succeeded", Authentication, 1, Informational;
    /// Somebody did not.
    AuthenticationFailed = 21, "authentication_failed", Authentication, 1, Medium;
    /// One network or one password was seen to fail for many accounts.
    CredentialStuffingDetected = 22, "credential_stuffing_detected", Authentication, 99, High;
    /// A session began.
    SessionStarted = 23, "session_started", Authentication, 1, Informational;
    /// A session ended.
    SessionEnded = 24, "session_ended", Authentication, 2, Informational;
    /// A session was used from elsewhere than where its person was proven.
    SessionMoved = 25, "session_moved", Authentication, 99, Medium;
    /// A token was issued.
    TokenIssued = 26, "token_issued", Authentication, 3, Informational;
    /// A token was asked for and not issued.
    TokenRefused = 27, "token_refused", Authentication, 3, Medium;
    /// A refresh token was used a second time: somebody has a copy.
    TokenReused = 28, "token_reused", Authentication, 3, High;
    /// Tokens were revoked.
    TokenRevoked = 29, "token_revoked", Authentication, 99, Medium;
    /// Somebody knows the password, and has yet to show a second factor, or to answer a message.
    AuthenticationChallenged = 31, "authentication_challenged", Authentication, 6, Low;
    /// An API key was used from an address for the first time.
    KeyUsedFirstFromAddress = 30, "key_used_first_from_address", Authentication, 99, Medium;
    /// Logins to an account, or from an address, are paused.
    AccountPaused = 40, "account_paused", AccountChange, 9, Medium;
    /// A password was changed.
    PasswordChanged = 41, "password_changed", AccountChange, 3, Medium;
    /// A forgotten password is to be replaced.
    PasswordResetRequested = 42, "password_reset_requested", AccountChange, 4, Medium;
    /// A second factor was added, changed or removed.
    FactorChanged = 43, "factor_changed", AccountChange, 99, Medium;
    /// Somebody's roles, or what a role grants, have changed.
    RoleChanged = 44, "role_changed", AccountChange, 99, Medium;
    /// An account was made.
    AccountCreated = 45, "account_created", AccountChange, 1, Medium;
    /// An account was changed.
    AccountChanged = 46, "account_changed", AccountChange, 99, Medium;
    /// An account was deleted.
    AccountDeleted = 47, "account_deleted", AccountChange, 6, Medium;
    /// An API key was made.
    KeyCreated = 60, "key_created", ApiActivity, 1, Medium;
    /// An API key was replaced.
    KeyRotated = 61, "key_rotated", ApiActivity, 3, Medium;
    /// An API key was suspended.
    KeySuspended = 62, "key_suspended", ApiActivity, 3, Medium;
    /// An API key was changed otherwise: resumed, or given another rate.
    KeyChanged = 63, "key_changed", ApiActivity, 3, Medium;
    /// An API key was revoked.
    KeyRevoked = 64, "key_revoked", ApiActivity, 4, Medium;
    /// Somebody who runs the gateway, or an organisation on it, has changed something else.
    AdministrativeAction = 65, "administrative_action", ApiActivity, 99, Medium;
    /// A changed configuration is in use.
    ConfigurationChanged = 66, "configuration_changed", ApiActivity, 3, Medium;
    /// A changed configuration was not valid; the one before stays in use.
    ConfigurationRefused = 67, "configuration_refused", ApiActivity, 3, High;
    /// A detection rule matched.
    DetectionMatched = 80, "detection_matched", DetectionFinding, 1, Medium;
    /// The gateway is threatened more than before, or less.
    ThreatLevelChanged = 81, "threat_level_changed", DetectionFinding, 2, Medium;
    /// The scan of the gateway itself has found a weakness.
    WeaknessFound = 82, "weakness_found", DetectionFinding, 1, Medium;
    /// A weakness is gone.
    WeaknessGone = 83, "weakness_gone", DetectionFinding, 3, Informational;
    /// People are told of something.
    AlertRaised = 90, "alert_raised", IncidentFinding, 1, High;
    /// Nobody has acknowledged it: further people are told.
    AlertEscalated = 91, "alert_escalated", IncidentFinding, 2, High;
    /// Somebody looks after it.
    AlertAcknowledged = 92, "alert_acknowledged", IncidentFinding, 2, Medium;
    /// It is over: somebody said so, or nothing more has come.
    AlertResolved = 93, "alert_resolved", IncidentFinding, 3, Medium;
}

impl Kind {
    /// Its number in stored files.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no type of event: the manual lists them under Events"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_numbers_lead_back() {
        let mut codes = HashSet::new();
        for &kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert!(codes.insert(kind.code()), "{kind}");
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str(), "stored and shown alike");
        }
        for class in Class::ALL {
            assert_eq!((class.as_str().parse(), class.uid().to_string().parse()), (Ok(class), Ok(class)));
        }
        assert_eq!(Kind::from_code(0), None);
    }
}

//! The rules that come with the gateway.

/// A file of `rules/detection`, with its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StarterFile {
    /// Its name, `starter/brute-force.yml`.
    pub name: &'static str,
    /// The rule, and its parts.
    pub text: &'static str,
    /// The cases that it is tested by.
    pub tests: &'static str,
}

/// Files of `rules/detection`, by name.
macro_rules! starter {
    ($($name:literal),+ $(,)?) => {
        &[$(StarterFile {
            name: concat!("starter/", $name, ".yml"),
            text: include_str!(concat!("../../../rules/detection/", $name, ".yml")),
            tests: include_str!(concat!("../../../rules/detection/tests/", $name, ".yml")),
        }),+]
    };
}

/// The starter pack: rules of our own, each with its tests, in the order of their names.
pub const STARTER: &[StarterFile] = starter![
    "account-takeover",
    "attack-then-login",
    "broken-object-level-authorization",
    "brute-force",
    "brute-force-from-address",
    "configuration-out-of-hours",
    "configuration-refused-often",
    "credential-stuffing",
    "credential-stuffing-seen",
    "endpoint-enumeration",
    "error-rate",
    "factor-changed-after-move",
    "insider-out-of-hours",
    "jndi-answered",
    "key-creation-burst",
    "key-from-many-addresses",
    "limit-hammering",
    "many-accounts-paused",
    "mass-account-creation",
    "mass-account-deletion",
    "metadata-service-answered",
    "mfa-fatigue",
    "parameter-fuzzing",
    "password-reset-enumeration",
    "password-spraying",
    "privilege-escalation",
    "scanning",
    "sequential-identifiers",
    "session-moved-often",
    "takeover-after-pause",
    "token-forging",
    "token-reuse",
    "traversal-answered",
    "user-agent-rotation",
    "vulnerability-scan",
    "webshell-probe",
];

//! What the scan looks for.

use bartizan_events::Severity;
use serde::{Deserialize, Serialize};

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $name:literal, $area:literal, $severity:ident, $title:literal;)*) => {
        /// What the scan looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Check {
            $($(#[$doc])* $check,)*
        }

        impl Check {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$check,)*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$check => $name,)* }
            }

            /// What it is about, in a word or two.
            pub const fn area(self) -> &'static str {
                match self { $(Self::$check => $area,)* }
            }

            /// How bad such a weakness is, where nothing says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$check => Severity::$severity,)* }
            }

            /// What such a weakness is.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$check => $title,)* }
            }
        }
    };
}

checks! {
    /// The routes are served in the clear.
    TlsOff = "tls_off", "TLS", Medium, "routes are served in the clear";
    /// A route has no firewall.
    FirewallOff = "firewall_off", "firewall", Medium, "a route has no firewall";
    /// A firewall refuses nothing.
    FirewallOnlyLogs = "firewall_only_logs", "firewall", Low, "a firewall only logs";
    /// An exclusion of rules has expired.
    ExclusionExpired = "exclusion_expired", "firewall", Low, "an exclusion of rules has expired";
    /// Anybody may use a route.
    RouteWithoutAuthentication = "route_without_authentication", "routes", Low, "anybody may use a route";
    /// Nothing limits a route.
    RouteWithoutLimits = "route_without_limits", "limits", Medium, "nothing limits a route";
    /// What limits a route refuses nothing.
    LimitsOnlyReport = "limits_only_report", "limits", Low, "limits only report";
    /// Passwords are not compared with those that are known.
    PasswordBlocklistMissing = "password_blocklist_missing", "passwords", Low, "no list of breached passwords";
    /// Rules for passwords that NIST advises against.
    PasswordProfileOutdated = "password_profile_outdated", "passwords", Low, "outdated rules for passwords";
    /// What encrypts second factors lies beside them.
    FactorKeyInStore = "factor_key_in_store", "second factors", Medium, "the key of second factors lies beside them";
    /// The cookie of sessions travels without TLS.
    CookieInsecure = "cookie_insecure", "cookies", Medium, "the cookie of sessions travels without TLS";
    /// The gateway writes to nobody.
    MailOff = "mail_off", "mail", Low, "the gateway writes to nobody";
    /// A certificate is about to end.
    CertificateExpires = "certificate_expires", "certificates", Medium, "a certificate ends soon";
    /// A certificate has ended.
    CertificateExpired = "certificate_expired", "certificates", Critical, "a certificate has ended";
    /// A certificate cannot be read.
    CertificateUnreadable = "certificate_unreadable", "certificates", High, "a certificate cannot be read";
    /// The keys that sign tokens do not rotate.
    SigningKeysOverdue = "signing_keys_overdue", "signing keys", High, "signing keys should have rotated";
    /// The keys that sign tokens cannot be read.
    SigningKeysUnreadable = "signing_keys_unreadable", "signing keys", High, "signing keys cannot be read";
    /// An API key is about to end.
    KeyExpires = "key_expires", "API keys", Medium, "an API key ends soon";
    /// An API key was never used.
    KeyNeverUsed = "key_never_used", "API keys", Low, "an API key was never used";
    /// An API key was not used for long.
    KeyStale = "key_stale", "API keys", Low, "an API key is not used any more";
    /// All that a service proves itself with is about to end.
    ServiceSecretExpires = "service_secret_expires", "services", Medium, "a service's secret ends soon";
    /// Accounts that nobody has ever used.
    AccountsNeverUsed = "accounts_never_used", "accounts", Low, "accounts were never used";
    /// Accounts that nobody uses any more.
    AccountsStale = "accounts_stale", "accounts", Low, "accounts are not used any more";
    /// Administrators without a second factor.
    AdministratorsWithoutFactor = "administrators_without_factor", "accounts", High, "administrators have no second factor";
    /// Invitations that have waited for long.
    InvitationsOld = "invitations_old", "accounts", Low, "invitations have waited for long";
    /// What there is of accounts cannot be read.
    StoreUnreachable = "store_unreachable", "store", Critical, "the store of accounts does not answer";
    /// The clocks of gateway and database differ.
    ClockOff = "clock_off", "clock", Medium, "the clocks of gateway and database differ";
    /// A part of the gateway fails.
    PartFailing = "part_failing", "parts", High, "a part of the gateway fails";
    /// Events that matter are lost.
    EventsLost = "events_lost", "events", High, "events that matter were lost";
    /// Events of low severity were dropped.
    EventsDropped = "events_dropped", "events", Low, "events of low severity were dropped";
    /// Events wait in the spill.
    EventsSpilled = "events_spilled", "events", Medium, "events wait in the spill";
    /// The queue of events is filling.
    QueuePressure = "queue_pressure", "events", Medium, "the queue of events is filling";
    /// A changed configuration could not be loaded.
    ConfigurationRefused = "configuration_refused", "configuration", High, "a changed configuration is not in use";
    /// The disk is nearly full.
    DiskNearlyFull = "disk_nearly_full", "disk", Medium, "the disk is nearly full";
}

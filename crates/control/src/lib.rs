//! The control plane: the admin API that the `bartizan` commands and operators talk to, on its own listener.
//!
//! It shows and changes a running system; it decides nothing about requests. What the system is, it learns through
//! the [`System`] trait, the [latest decisions](bartizan_pipeline::Records) and the
//! [address lists](bartizan_reputation::AddressLists). The `OpenAPI` document is generated from the handlers
//! ([`Control::openapi`]), so the two cannot differ.
//!
//! Who may ask:
//!
//! - Every request to the admin listener carries the [`AdminToken`], or an operator's own, as `Authorization: Bearer …`
//!   (RFC 6750), the `OpenAPI` document included. Only `/healthz` and `/readyz` need none.
//! - In the clear, `Host` must be an IP address or `localhost`; a page that rebinds its own name to a loopback
//!   address (DNS rebinding) gets `421`. Over TLS the certificate already binds the name, so any name is served.
//! - `Origin`, where a browser sends it, must be the API's own; other pages get `403`. There is no CORS.
//!
//! The metrics listener ([`Control::metrics_router`]) has `/metrics`, `/healthz` and `/readyz` only, without a token.
//!
//! Every error is an RFC 9457 [`Problem`] with a stable `code` and the request's id. Every change is logged once
//! with `audit=true`.

mod accounts;
mod administration;
mod api;
mod control;
mod document;
mod error;
mod extract;
mod failure;
mod guard;
mod oauth;
mod operator;
mod server;
mod system;
mod timestamp;
mod token;

#[cfg(test)]
mod tests;

pub use accounts::{
    AcceptedInvitation, AccountClient, AccountsApi, AccountsBody, Application, Applications,
    AssertionResponse, AttestationResponse, AuthenticatorSelection, Base64Url, ChangedEmail, ChangedPassword,
    ChangedProfile, ChosenOrganization, CodeKind, ConfirmedEmail, ConfirmedFactor, CredentialDescriptor,
    CurrentSession, EnrolledEmail, EnrolledPasskey, EnrolledTelephone, EnrolledTotp, FactorKind,
    FactorStrength, FirstAdministrator, ForgottenPassword, Invitation, Invitations, JoinedOrganization,
    KeyParameters, LinkedIdentities, LinkedIdentity, LoginCode, LoginFactor, LoginPasskey, LoginRequest,
    MadeCredential, MadePasskey, NewInvitation, NewOrganizationKey, NewOrganizationService, NewOwnApiKey,
    NewTelephone, NewTotp, OwnSession, OwnSessions, PasskeyCreationOptions, PasskeyLogin,
    PasskeyRequestOptions, PasskeyToMake, PasskeyToUse, PasskeyUser, PendingLogin, Profile, Providers,
    RecoveryCodes, RelyingParty, ResetPassword, SecondFactor, SecondFactors, SignUpRequest, StartedSession,
    StepUpKind, StepUpPasskey, StepUpRequest, SteppedUp, UsedCredential, UsedPasskey, VerifiedEmail,
    WayThere,
};
pub use api::{
    access::{
        AccessAction, AccessContext, AccessDecision, AccessDecisions, AccessEntity, AccessEvaluation,
        AccessEvaluations, AccessOptions, EvaluationsSemantic,
    },
    addresses::{AddressEntry, Addresses, NewAddressEntry, Standing},
    alerts::{
        AlertNote, AlertTest, AlertTests, TestedChannel,
        shown::{AlertCommon, AlertDetails, AlertHistoryEntry, AlertItem, AlertList},
        silences::{AlertMatcher, AlertSilence, AlertSilences, NewAlertSilence},
        undelivered::{AlertRetries, AlertRetry, UndeliveredAlert, UndeliveredAlerts},
    },
    audit::{AuditEntry, AuditTrail},
    components::{ActiveSigningKey, ComponentHealth, Components, SigningKeysHealth},
    configuration::{ConfigurationFailure, ConfigurationStatus, Diagnostic, DiagnosticSeverity, Reloaded},
    detection::{DetectionRule, DetectionStatus},
    events::{
        found::{EventCount, EventCounts, FoundEvents, RankedEvents, RankedValue, UnreadableEvents},
        wanted::EventDimension,
    },
    exports::{Export, ExportFailure, ExportTest, Exports},
    health::Health,
    invitations::{OperatorInvitation, PendingInvitations},
    keys::{ApiKey, ApiKeyState, ApiKeys, IssuedApiKey, KeyRate, NewApiKey, Overlap, Suspension},
    limits::{
        LONGEST_LIMIT_VALUE, LimitAlgorithm, LimitMode, LimitOverall, LimitPolicyStatus, LimitQuota,
        LimitRuleStatus, LimitTotals, LimitsStatus,
        afresh::LimitsAfresh,
        allow::{LimitAllowance, NewLimitAllowance},
        forecast::{
            LimitForecast, LimitNotForecast, LimitProposal, LimitRuleForecast, LimitTerms, LimitValueForecast,
        },
        reset::{LimitReset, LimitsForgotten},
        standing::{LimitCounter, LimitStanding, LimitStandings},
        statistics::{LimitStatisticsForgotten, LimitStatisticsReset},
        threat::{LimitRecommendation, LimitThreat},
        top::{LimitPeriod, LimitRanking, LimitRuleTop, LimitTop, LimitTopValue},
    },
    organizations::{
        Member, Members, NewName, NewOrganization, Organization, OrganizationDetails, Organizations,
    },
    people::{GivenRole, HeldRole, NewPassword, NewUser, User, Users},
    person_changes::NewEmail,
    policies::{PolicyChange, PolicyDryRun, PolicyList, PolicyProposal, ProposedPolicies},
    requests::{
        decided::{
            DecidedRequest, DecidedRequests, DecidedStep, MatchedRoute, ProofKind, ProvenPrincipal,
            StepOutcome,
        },
        firewall::{DecidedFirewall, FirewallExclusion, FirewallRule, FirewallVariable, FirewallVerdict},
        limits::{DecidedLimit, DecidedLimitEffect, DecidedLimits, LimitFactors},
        policies::{DecidedPolicies, PolicyEffect, PolicyMode, PolicyRuling, PolicyStatement},
    },
    roles::{Binding, Bindings, KnownRole, KnownRoles, NewBinding, NewRole, Role, RolePermissions, Roles},
    services::{
        CredentialKind, IssuedService, NewCredential, NewService, Service, ServiceCredential,
        ServiceExchange, ServicePermissions, Services,
    },
    sessions::{Session, Sessions},
    status::{Listener, ListenerKind, Status},
    token_keys::{TokenKey, TokenKeyRotation, TokenKeyState, TokenKeys},
    tokens::{RevokedKind, TokenAuthorization, TokenAuthorizations, TokenRevocation},
    upstreams::{TargetHealth, TargetStatus, UpstreamStatus, Upstreams},
    zone::MachineZone,
};
pub use control::Control;
pub use error::ControlError;
pub use failure::Problem;
pub use oauth::{IssuedTokens, OAuthRefusal, Userinfo};
pub use system::{ExportTestFuture, LimitsInUse, PoliciesInUse, ReloadFailure, ReloadFuture, System};
pub use timestamp::Timestamp;
pub use token::AdminToken;

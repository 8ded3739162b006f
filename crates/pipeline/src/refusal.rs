//! What a refusal is: a stable code for machines, words for the caller, and a reason for the operator.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::Reason;

/// A refusal, as RFC 9457 puts it to the client and as the log tells the operator.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The stable code; it fixes title and detail, and mostly the status.
    pub code: Code,
    /// The status, where somebody wants another than the code's.
    pub other_status: Option<StatusCode>,
    /// Why, for log and trace. Never shown to the client.
    pub reason: Reason,
    /// Headers the answer needs: `WWW-Authenticate`, `Allow`, `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What kind of problem the client is told.
    pub problem: ProblemType,
    /// The limits that were exceeded, by name; shown to the client.
    pub violated_policies: Vec<Arc<str>>,
    /// Whether the connection must end, because what follows on it cannot be trusted.
    pub close: bool,
}

/// The kind of a problem (RFC 9457, section 3.1.1): one of this gateway, named after the code, or one of those that section
/// 5 of draft-ietf-httpapi-ratelimit-headers-10 registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// One of this gateway.
    Own(Code),
    /// The client has asked for more than its quota (section 5.1).
    QuotaExceeded,
    /// There is less to give than usual (section 5.2).
    TemporaryReducedCapacity,
    /// What the client does looks unusual, and its quota is smaller for it (section 5.3).
    AbnormalUsageDetected,
}

impl ProblemType {
    /// What a code mostly means.
    const fn of(code: Code) -> Self {
        match code {
            Code::RateLimitExceeded => Self::QuotaExceeded,
            Code::LimitsUnavailable => Self::TemporaryReducedCapacity,
            other => Self::Own(other),
        }
    }

    /// The URI that names it.
    pub fn uri(self) -> Cow<'static, str> {
        match self {
            Self::Own(code) => format!("urn:bartizan:problem:{}", code.as_str()).into(),
            Self::QuotaExceeded => "https://iana.org/assignments/http-problem-types#quota-exceeded".into(),
            Self::TemporaryReducedCapacity => {
                "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity".into()
            }
            Self::AbnormalUsageDetected => {
                "https://iana.org/assignments/http-problem-types#abnormal-usage-detected".into()
            }
        }
    }
}

impl Refusal {
    /// A refusal with this code and operator's reason.
    pub fn new(code: Code, reason: impl Into<Reason>) -> Self {
        Self {
            code,
            other_status: None,
            reason: reason.into(),
            headers: Vec::new(),
            problem: ProblemType::of(code),
            violated_policies: Vec::new(),
            close: false,
        }
    }

    /// The status it is sent with.
    pub fn status(&self) -> StatusCode {
        self.other_status.unwrap_or_else(|| self.code.status())
    }

    /// A refusal because there is too much to do: it may be tried again in a moment.
    pub fn overloaded(reason: impl Into<Reason>) -> Self {
        let in_a_moment = HeaderValue::from_static("1");
        Self::new(Code::Overloaded, reason).with_header(header::RETRY_AFTER, in_a_moment)
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Ends the connection after the answer.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $status:ident, $title:literal, $detail:literal;)*) => {
        /// The stable code of a refusal. Clients may match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }

            /// The status it is sent with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// A short summary, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }

            /// What the caller can do next. Says nothing about the inside.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$code => $detail,)* }
            }
        }
    };
}

codes! {
    /// The message breaks HTTP or is ambiguous.
    MalformedRequest = "malformed_request", BAD_REQUEST, "Malformed request",
        "The request is not well-formed HTTP. Send it with a standard client.";
    /// The head did not come in time.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "Request timeout",
        "The request did not arrive in time. Send it at once, on a new connection.";
    /// The request target is too long.
    UriTooLong = "uri_too_long", URI_TOO_LONG, "Request target too long",
        "Shorten the path or the query.";
    /// Too many or too large header fields.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Request headers too large",
        "Send fewer or smaller header fields.";
    /// An HTTP version that is not served.
    VersionNotSupported = "http_version_not_supported", HTTP_VERSION_NOT_SUPPORTED, "HTTP version not supported",
        "Use HTTP/1.1 or HTTP/2.";
    /// A method that is not served here.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "Use one of the methods in the Allow header.";
    /// An `Expect` other than `100-continue`.
    ExpectationFailed = "expectation_failed", EXPECTATION_FAILED, "Expectation failed",
        "Send no Expect header other than 100-continue.";
    /// An upgrade that the route does not admit.
    UpgradeRefused = "upgrade_refused", BAD_REQUEST, "Protocol upgrade refused",
        "This resource does not speak the protocol asked for.";
    /// No route.
    RouteNotFound = "route_not_found", NOT_FOUND, "Not found",
        "There is nothing at this address.";
    /// A blocked address.
    AddressBlocked = "address_blocked", FORBIDDEN, "Address blocked",
        "Requests from this address are not accepted. Contact the operator with the request id.";
    /// A preflight that CORS does not allow.
    CrossOriginRefused = "cross_origin_refused", FORBIDDEN, "Cross-origin request refused",
        "This origin, method or header is not allowed across origins.";
    /// A write that another site makes with a person's cookie, or that cannot be told from one.
    CrossSiteRefused = "cross_site_refused", FORBIDDEN, "Cross-site request refused",
        "Send the request from a page of this host, with the session's token in X-CSRF-Token.";
    /// Over a limit.
    RateLimitExceeded = "rate_limit_exceeded", TOO_MANY_REQUESTS, "Too many requests",
        "Wait as long as the Retry-After header says, then try again.";
    /// Limits cannot be decided at the moment.
    LimitsUnavailable = "limits_unavailable", SERVICE_UNAVAILABLE, "Limits unavailable",
        "The request cannot be counted at the moment. Try again shortly.";
    /// No credential.
    MissingAuthenticationToken = "missing_authentication_token", UNAUTHORIZED, "Authentication required",
        "Send a credential that this resource accepts.";
    /// A credential that is not valid.
    InvalidAuthenticationToken = "invalid_authentication_token", UNAUTHORIZED, "Invalid credential",
        "The credential is malformed, expired or not accepted here. Obtain a new one.";
    /// A person who was proven too long ago, or not by enough (RFC 9470).
    InsufficientUserAuthentication = "insufficient_user_authentication", UNAUTHORIZED, "Further authentication required",
        "Prove again that it is you, with a second factor.";
    /// Credentials cannot be checked at the moment.
    AuthenticationUnavailable = "authentication_unavailable", SERVICE_UNAVAILABLE, "Authentication unavailable",
        "Credentials cannot be checked at the moment. Try again shortly.";
    /// Not permitted.
    PermissionDenied = "permission_denied", FORBIDDEN, "Permission denied",
        "The credential does not carry the permission that this request needs.";
    /// A second factor is needed.
    MfaRequired = "mfa_required", FORBIDDEN, "Multi-factor authentication required",
        "Sign in again with a second factor.";
    /// A stage could not do its work.
    SecurityCheckFailed = "security_check_failed", FORBIDDEN, "Security check failed",
        "The request could not be checked and was refused. Contact the operator with the request id.";
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Request body too large",
        "Send a smaller body.";
    /// The body came too slowly.
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT, "Request body too slow",
        "The body arrived too slowly. Try again on a better connection.";
    /// The body broke off or its framing is invalid.
    BodyIncomplete = "body_incomplete", BAD_REQUEST, "Request body incomplete",
        "The body ended early or is not well-formed.";
    /// The gateway holds as much as it may.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded",
        "The gateway has too much to do at the moment. Try again shortly.";
    /// The rules of the firewall object to the request.
    WafRefused = "suspicious_activity_detected", FORBIDDEN, "Request refused",
        "The request looks like an attack. If it is none, contact the operator with the request id.";
    /// The rules of the firewall object to the response.
    WafResponseRefused = "waf_response_refused", BAD_GATEWAY, "Response withheld",
        "The service's answer cannot be shown. Contact the operator with the request id.";
    /// No upstream answers.
    UpstreamUnavailable = "upstream_unavailable", SERVICE_UNAVAILABLE, "Service unavailable",
        "The service is not reachable at the moment. Try again shortly.";
    /// The upstream answered with something that is not HTTP, or broke off.
    UpstreamFailed = "upstream_failed", BAD_GATEWAY, "Bad gateway",
        "The service did not give a usable answer. Try again shortly.";
    /// The upstream took too long.
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, "Gateway timeout",
        "The service took too long to answer. Try again shortly.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_are_errors() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(!code.detail().is_empty());
        }
    }
}

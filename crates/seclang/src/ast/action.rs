//! What a rule does when its condition holds, and what it says about itself.

use super::{AuditEngine, EngineMode, RuleSelector, Target, Template, named};
use crate::transformation::Transformation;

named! {
    /// When a rule runs.
    pub enum Phase {
        RequestHeaders = "1",
        RequestBody = "2" | "request",
        ResponseHeaders = "3",
        ResponseBody = "4" | "response",
        Logging = "5" | "logging",
    }
}

named! {
    /// How bad a match is, as syslog counts: emergency is 0, debug is 7.
    pub enum Severity {
        Emergency = "EMERGENCY" | "0",
        Alert = "ALERT" | "1",
        Critical = "CRITICAL" | "2",
        Error = "ERROR" | "3",
        Warning = "WARNING" | "4",
        Notice = "NOTICE" | "5",
        Info = "INFO" | "6",
        Debug = "DEBUG" | "7",
    }
}

named! {
    /// A collection that rules may write to.
    pub enum Collection {
        Tx = "TX",
        Ip = "IP",
        Session = "SESSION",
        User = "USER",
        Global = "GLOBAL",
        Resource = "RESOURCE",
    }
}

named! {
    /// What reads a request body.
    pub enum BodyProcessor {
        UrlEncoded = "URLENCODED",
        Multipart = "MULTIPART",
        Json = "JSON",
        Xml = "XML",
    }
}

/// A rule that names no phase runs in the first one. The manual says the second; libmodsecurity 3 does this.
impl Default for Phase {
    fn default() -> Self {
        Self::RequestHeaders
    }
}

/// How far `allow` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllowScope {
    /// No more rules for the whole exchange, but those of the logging phase: `allow`.
    Exchange,
    /// No more rules of this phase: `allow:phase`.
    Phase,
    /// No more rules for the request: `allow:request`.
    Request,
}

/// One action of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `msg:'SQL injection'`
    Message(Template),
    /// `logdata:'%{MATCHED_VAR}'`
    LogData(Template),
    /// `tag:'attack-sqli'`
    Tag(Template),
    /// `severity:'CRITICAL'`
    Severity(Severity),
    /// `ver:'OWASP_CRS/4.28.0'`
    Version(String),
    /// `rev:'2'`
    Revision(String),
    /// `maturity:9`
    Maturity(u8),
    /// `accuracy:8`
    Accuracy(u8),
    /// `deny`
    Deny,
    /// `block`: what the default actions say.
    Block,
    /// `drop`
    Drop,
    /// `pass`
    Pass,
    /// `allow`, `allow:phase`, `allow:request`
    Allow(AllowScope),
    /// `redirect:'https://example.com/'`
    Redirect(Template),
    /// `status:403`
    Status(u16),
    /// `skip:2`
    Skip(u32),
    /// `skipAfter:END-SQLI`
    SkipAfter(String),
    /// `t:lowercase`; `t:none` takes those before it away.
    Transformation(Transformation),
    /// `multiMatch`
    MultiMatch,
    /// `capture`
    Capture,
    /// `log`
    Log,
    /// `nolog`
    NoLog,
    /// `auditlog`
    AuditLog,
    /// `noauditlog`
    NoAuditLog,
    /// `setvar:'tx.score=+5'`
    SetVariable(SetVariable),
    /// `setenv:'name=value'`
    SetEnvironment {
        /// The variable's name.
        name: Template,
        /// What it is set to.
        value: Template,
    },
    /// `initcol:ip=%{REMOTE_ADDR}`
    InitCollection {
        /// Which collection.
        collection: Collection,
        /// Whose.
        key: Template,
    },
    /// `setuid:%{tx.user}`
    SetUser(Template),
    /// `setsid:%{REQUEST_COOKIES.session}`
    SetSession(Template),
    /// `setrsc:%{tx.resource}`
    SetResource(Template),
    /// `expirevar:ip.blocked=300`
    ExpireVariable(ExpireVariable),
    /// `ctl:ruleEngine=Off`
    Control(Control),
    /// `xmlns:soap=http://schemas.xmlsoap.org/soap/envelope/`
    XmlNamespace {
        /// What paths call it.
        prefix: String,
        /// What documents call it.
        uri: String,
    },
}

impl Action {
    /// Whether it decides about the request.
    pub const fn is_disruptive(&self) -> bool {
        matches!(
            self,
            Self::Deny | Self::Block | Self::Drop | Self::Pass | Self::Allow(_) | Self::Redirect(_)
        )
    }
}

/// `setvar`: write one value of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SetVariable {
    /// Where.
    pub collection: Collection,
    /// Which value.
    pub name: Template,
    /// What happens to it.
    pub operation: SetOperation,
}

/// What `setvar` does to a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SetOperation {
    /// `name=value`; `name` alone sets 1.
    Set(Template),
    /// `name=+value`
    Add(Template),
    /// `name=-value`
    Subtract(Template),
    /// `!name`
    Unset,
}

/// `expirevar`: forget a value after some seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExpireVariable {
    /// Where.
    pub collection: Collection,
    /// Which value.
    pub name: Template,
    /// How many seconds it stays.
    pub seconds: Template,
}

/// `ctl`: change the engine for the rest of this exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// `ruleEngine`
    RuleEngine(EngineMode),
    /// `auditEngine`
    AuditEngine(AuditEngine),
    /// `auditLogParts`
    AuditLogParts(AuditPartsChange),
    /// `requestBodyAccess`
    RequestBodyAccess(bool),
    /// `responseBodyAccess`
    ResponseBodyAccess(bool),
    /// `forceRequestBodyVariable`
    ForceRequestBodyVariable(bool),
    /// `detectJson`, of this engine only: a body that begins like JSON is read as JSON, too.
    DetectJson(bool),
    /// `requestBodyProcessor`
    RequestBodyProcessor(BodyProcessor),
    /// `ruleRemoveById`, `ruleRemoveByTag`, `ruleRemoveByMsg`
    RemoveRules(RuleSelector),
    /// `ruleRemoveTargetById`, `ruleRemoveTargetByTag`, `ruleRemoveTargetByMsg`
    RemoveTarget {
        /// Of which rules.
        rules: RuleSelector,
        /// What they no longer look at.
        target: Target,
    },
}

/// What `auditLogParts` does to the parts of an audit record, each a letter from A to K, or Z.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuditPartsChange {
    /// `+EK`
    Add(String),
    /// `-EK`
    Remove(String),
    /// `ABEK`
    Replace(String),
}

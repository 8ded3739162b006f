//! What a rule looks at: variables, and targets made of them.

use std::fmt;

use super::named;

named! {
    /// A variable of the language, single or a collection.
    pub enum Variable {
        Args = "ARGS",
        ArgsCombinedSize = "ARGS_COMBINED_SIZE",
        ArgsGet = "ARGS_GET",
        ArgsGetNames = "ARGS_GET_NAMES",
        ArgsNames = "ARGS_NAMES",
        ArgsPost = "ARGS_POST",
        ArgsPostNames = "ARGS_POST_NAMES",
        AuthType = "AUTH_TYPE",
        Duration = "DURATION",
        Env = "ENV",
        Files = "FILES",
        FilesCombinedSize = "FILES_COMBINED_SIZE",
        FilesNames = "FILES_NAMES",
        FilesSizes = "FILES_SIZES",
        FilesTmpContent = "FILES_TMP_CONTENT",
        FilesTmpNames = "FILES_TMPNAMES",
        FullRequest = "FULL_REQUEST",
        FullRequestLength = "FULL_REQUEST_LENGTH",
        Geo = "GEO",
        Global = "GLOBAL",
        HighestSeverity = "HIGHEST_SEVERITY",
        InboundDataError = "INBOUND_DATA_ERROR",
        Ip = "IP",
        MatchedVar = "MATCHED_VAR",
        MatchedVarName = "MATCHED_VAR_NAME",
        MatchedVars = "MATCHED_VARS",
        MatchedVarsNames = "MATCHED_VARS_NAMES",
        ModsecBuild = "MODSEC_BUILD",
        MscPcreError = "MSC_PCRE_ERROR",
        MscPcreLimitsExceeded = "MSC_PCRE_LIMITS_EXCEEDED",
        MultipartBoundaryQuoted = "MULTIPART_BOUNDARY_QUOTED",
        MultipartBoundaryWhitespace = "MULTIPART_BOUNDARY_WHITESPACE",
        MultipartCrlfLfLines = "MULTIPART_CRLF_LF_LINES",
        MultipartDataAfter = "MULTIPART_DATA_AFTER",
        MultipartDataBefore = "MULTIPART_DATA_BEFORE",
        MultipartFileLimitExceeded = "MULTIPART_FILE_LIMIT_EXCEEDED",
        MultipartFilename = "MULTIPART_FILENAME",
        MultipartHeaderFolding = "MULTIPART_HEADER_FOLDING",
        MultipartInvalidHeaderFolding = "MULTIPART_INVALID_HEADER_FOLDING",
        MultipartInvalidPart = "MULTIPART_INVALID_PART",
        MultipartInvalidQuoting = "MULTIPART_INVALID_QUOTING",
        MultipartLfLine = "MULTIPART_LF_LINE",
        MultipartMissingSemicolon = "MULTIPART_MISSING_SEMICOLON" | "MULTIPART_SEMICOLON_MISSING",
        MultipartName = "MULTIPART_NAME",
        MultipartPartHeaders = "MULTIPART_PART_HEADERS",
        MultipartStrictError = "MULTIPART_STRICT_ERROR",
        MultipartUnmatchedBoundary = "MULTIPART_UNMATCHED_BOUNDARY",
        OutboundDataError = "OUTBOUND_DATA_ERROR",
        PathInfo = "PATH_INFO",
        QueryString = "QUERY_STRING",
        RemoteAddr = "REMOTE_ADDR",
        RemoteHost = "REMOTE_HOST",
        RemotePort = "REMOTE_PORT",
        RemoteUser = "REMOTE_USER",
        ReqbodyError = "REQBODY_ERROR",
        ReqbodyErrorMsg = "REQBODY_ERROR_MSG",
        ReqbodyProcessor = "REQBODY_PROCESSOR",
        ReqbodyProcessorError = "REQBODY_PROCESSOR_ERROR",
        ReqbodyProcessorErrorMsg = "REQBODY_PROCESSOR_ERROR_MSG",
        RequestBasename = "REQUEST_BASENAME",
        RequestBody = "REQUEST_BODY",
        RequestBodyLength = "REQUEST_BODY_LENGTH",
        RequestCookies = "REQUEST_COOKIES",
        RequestCookiesNames = "REQUEST_COOKIES_NAMES",
        RequestFilename = "REQUEST_FILENAME",
        RequestHeaders = "REQUEST_HEADERS",
        RequestHeadersNames = "REQUEST_HEADERS_NAMES",
        RequestLine = "REQUEST_LINE",
        RequestMethod = "REQUEST_METHOD",
        RequestProtocol = "REQUEST_PROTOCOL",
        RequestUri = "REQUEST_URI",
        RequestUriRaw = "REQUEST_URI_RAW",
        Resource = "RESOURCE",
        ResponseBody = "RESPONSE_BODY",
        ResponseContentLength = "RESPONSE_CONTENT_LENGTH",
        ResponseContentType = "RESPONSE_CONTENT_TYPE",
        ResponseHeaders = "RESPONSE_HEADERS",
        ResponseHeadersNames = "RESPONSE_HEADERS_NAMES",
        ResponseProtocol = "RESPONSE_PROTOCOL",
        ResponseStatus = "RESPONSE_STATUS",
        Rule = "RULE",
        ServerAddr = "SERVER_ADDR",
        ServerName = "SERVER_NAME",
        ServerPort = "SERVER_PORT",
        Session = "SESSION",
        SessionId = "SESSIONID",
        Status = "STATUS",
        StatusLine = "STATUS_LINE",
        Time = "TIME",
        TimeDay = "TIME_DAY",
        TimeEpoch = "TIME_EPOCH",
        TimeHour = "TIME_HOUR",
        TimeMin = "TIME_MIN",
        TimeMon = "TIME_MON",
        TimeSec = "TIME_SEC",
        TimeWday = "TIME_WDAY",
        TimeYear = "TIME_YEAR",
        Tx = "TX",
        UniqueId = "UNIQUE_ID",
        UrlencodedError = "URLENCODED_ERROR",
        User = "USER",
        UserId = "USERID",
        WebAppId = "WEBAPPID",
        Xml = "XML",
    }
}

impl Variable {
    /// Whether it holds several values by name, so that a selector may follow: `ARGS:id`.
    pub const fn takes_selector(self) -> bool {
        matches!(
            self,
            Self::Args
                | Self::ArgsGet
                | Self::ArgsGetNames
                | Self::ArgsNames
                | Self::ArgsPost
                | Self::ArgsPostNames
                | Self::Env
                | Self::Files
                | Self::FilesNames
                | Self::FilesSizes
                | Self::FilesTmpContent
                | Self::FilesTmpNames
                | Self::Geo
                | Self::Global
                | Self::Ip
                | Self::MatchedVars
                | Self::MatchedVarsNames
                | Self::MultipartFilename
                | Self::MultipartName
                | Self::MultipartPartHeaders
                | Self::RequestCookies
                | Self::RequestCookiesNames
                | Self::RequestHeaders
                | Self::RequestHeadersNames
                | Self::Resource
                | Self::ResponseHeaders
                | Self::ResponseHeadersNames
                | Self::Rule
                | Self::Session
                | Self::Tx
                | Self::User
                | Self::Xml
        )
    }
}

/// What a variable says before anything is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    Empty,
    Zero,
}

impl Variable {
    /// What a variable with a single value says at first; `None` for those that may be absent.
    ///
    /// As in `ModSecurity`, `QUERY_STRING "!@rx ^id=[0-9]+$"` holds where there is no query, and `&QUERY_STRING` is 1.
    pub(crate) const fn at_first(self) -> Option<Initial> {
        match self {
            Self::ArgsCombinedSize
            | Self::FilesCombinedSize
            | Self::FullRequestLength
            | Self::InboundDataError
            | Self::MultipartBoundaryQuoted
            | Self::MultipartBoundaryWhitespace
            | Self::MultipartCrlfLfLines
            | Self::MultipartDataAfter
            | Self::MultipartDataBefore
            | Self::MultipartFileLimitExceeded
            | Self::MultipartHeaderFolding
            | Self::MultipartInvalidHeaderFolding
            | Self::MultipartInvalidPart
            | Self::MultipartInvalidQuoting
            | Self::MultipartLfLine
            | Self::MultipartMissingSemicolon
            | Self::MscPcreError
            | Self::MscPcreLimitsExceeded
            | Self::MultipartStrictError
            | Self::MultipartUnmatchedBoundary
            | Self::OutboundDataError
            | Self::ReqbodyError
            | Self::ReqbodyProcessorError
            | Self::RequestBodyLength
            | Self::ResponseContentLength
            | Self::UrlencodedError => Some(Initial::Zero),
            Self::AuthType
            | Self::FullRequest
            | Self::PathInfo
            | Self::QueryString
            | Self::ReqbodyErrorMsg
            | Self::ReqbodyProcessor
            | Self::ReqbodyProcessorErrorMsg
            | Self::RequestBasename
            | Self::RequestBody
            | Self::RequestFilename
            | Self::RequestLine
            | Self::RequestMethod
            | Self::RequestProtocol
            | Self::RequestUri
            | Self::RequestUriRaw
            | Self::ResponseBody
            | Self::ResponseContentType
            | Self::ResponseProtocol
            | Self::ResponseStatus
            | Self::ServerName
            | Self::Status
            | Self::StatusLine
            | Self::WebAppId => Some(Initial::Empty),
            _ => None,
        }
    }
}

impl Variable {
    /// Whether rules or the clock may change it while a phase runs.
    pub(crate) const fn changes_within_phase(self) -> bool {
        matches!(
            self,
            Self::Duration
                | Self::Env
                | Self::Geo
                | Self::Global
                | Self::HighestSeverity
                | Self::Ip
                | Self::MatchedVar
                | Self::MatchedVarName
                | Self::MatchedVars
                | Self::MatchedVarsNames
                | Self::Resource
                | Self::Rule
                | Self::Session
                | Self::SessionId
                | Self::Time
                | Self::TimeDay
                | Self::TimeEpoch
                | Self::TimeHour
                | Self::TimeMin
                | Self::TimeMon
                | Self::TimeSec
                | Self::TimeWday
                | Self::TimeYear
                | Self::Tx
                | Self::User
                | Self::UserId
        )
    }
}

/// What of a collection is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The values with this name: `ARGS:id`.
    Name(String),
    /// The values whose name matches this regular expression: `ARGS:/^user_/`, written without its slashes.
    Pattern(String),
    /// Nodes of a document: `XML:/*`, `XML://@*`.
    Path(String),
}

/// How a target is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetUse {
    /// Its values: `ARGS`.
    Values,
    /// How many values it has: `&ARGS`.
    Count,
    /// Not its values, though another target names them: `!ARGS:id`.
    Exclusion,
}

/// One of the things that a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The variable.
    pub variable: Variable,
    /// What of it; `None` is all.
    pub selector: Option<Selector>,
    /// What for.
    pub used_as: TargetUse,
}

impl fmt::Display for Target {
    /// In the spelling of the language, so that it can be parsed again.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.used_as {
            TargetUse::Values => "",
            TargetUse::Count => "&",
            TargetUse::Exclusion => "!",
        })?;
        formatter.write_str(self.variable.name())?;
        match &self.selector {
            None => Ok(()),
            Some(Selector::Name(name)) if name.starts_with('/') || has_separator(name) => {
                write!(formatter, ":'{name}'")
            }
            Some(Selector::Path(path)) if has_separator(path) => write!(formatter, ":'{path}'"),
            Some(Selector::Name(text) | Selector::Path(text)) => write!(formatter, ":{text}"),
            Some(Selector::Pattern(pattern)) => write!(formatter, ":'/{pattern}/'"),
        }
    }
}

/// Whether a selector would end too early without quotation marks.
fn has_separator(text: &str) -> bool {
    text.contains(|character: char| matches!(character, '|' | ',') || character.is_ascii_whitespace())
}

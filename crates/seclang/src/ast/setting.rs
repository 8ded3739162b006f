//! Settings of the engine: the directives of `ModSecurity`'s recommended configuration, and their kin.

use super::named;

named! {
    /// `SecRuleEngine`: whether rules run, and whether they may refuse.
    pub enum EngineMode {
        On = "On",
        Off = "Off",
        DetectionOnly = "DetectionOnly",
    }
}

named! {
    /// `SecAuditEngine`: what is recorded.
    pub enum AuditEngine {
        On = "On",
        Off = "Off",
        RelevantOnly = "RelevantOnly",
    }
}

named! {
    /// `SecAuditLogType`: how records are written.
    pub enum AuditLogType {
        Serial = "Serial",
        Parallel = "Parallel" | "Concurrent",
        Https = "HTTPS",
    }
}

named! {
    /// `SecAuditLogFormat`: how a record looks.
    pub enum AuditLogFormat {
        Native = "Native",
        Json = "JSON",
    }
}

named! {
    /// What happens to a body above its limit.
    pub enum BodyLimitAction {
        Reject = "Reject",
        ProcessPartial = "ProcessPartial",
    }
}

named! {
    /// `SecUploadKeepFiles`: which uploaded files are kept.
    pub enum UploadKeepFiles {
        On = "On",
        Off = "Off",
        RelevantOnly = "RelevantOnly",
    }
}

/// A setting with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `SecRuleEngine`
    RuleEngine(EngineMode),
    /// `SecRequestBodyAccess`
    RequestBodyAccess(bool),
    /// `SecRequestBodyLimit`, in bytes
    RequestBodyLimit(u64),
    /// `SecRequestBodyNoFilesLimit`, in bytes
    RequestBodyNoFilesLimit(u64),
    /// `SecRequestBodyInMemoryLimit`, in bytes
    RequestBodyInMemoryLimit(u64),
    /// `SecRequestBodyLimitAction`
    RequestBodyLimitAction(BodyLimitAction),
    /// `SecRequestBodyJsonDepthLimit`
    RequestBodyJsonDepthLimit(u64),
    /// `SecArgumentsLimit`
    ArgumentsLimit(u64),
    /// `SecArgumentSeparator`
    ArgumentSeparator(u8),
    /// `SecResponseBodyAccess`
    ResponseBodyAccess(bool),
    /// `SecResponseBodyMimeType`
    ResponseBodyMimeTypes(Vec<String>),
    /// `SecResponseBodyMimeTypesClear`
    ResponseBodyMimeTypesClear,
    /// `SecResponseBodyLimit`, in bytes
    ResponseBodyLimit(u64),
    /// `SecResponseBodyLimitAction`
    ResponseBodyLimitAction(BodyLimitAction),
    /// `SecCookieFormat`: 0 is Netscape's, 1 is RFC 2109's
    CookieFormat(u64),
    /// `SecCollectionTimeout`, in seconds
    CollectionTimeout(u64),
    /// `SecGeoLookupDb`: the file of the database that `@geoLookup` asks
    GeoLookupDatabase(String),
    /// `SecPcreMatchLimit`: patterns run in linear time here, with or without it
    PcreMatchLimit(u64),
    /// `SecPcreMatchLimitRecursion`: as `SecPcreMatchLimit`
    PcreMatchLimitRecursion(u64),
    /// `SecUnicodeMapFile`
    UnicodeMap {
        /// The file of mappings.
        file: String,
        /// Which of them.
        code_page: u64,
    },
    /// `SecXmlExternalEntity Off`; the parser refuses `On`
    XmlExternalEntityOff,
    /// `SecParseXmlIntoArgs Off`; the parser refuses `On` and `OnlyArgs`
    ParseXmlIntoArgsOff,
    /// `SecTmpDir`
    TmpDir(String),
    /// `SecDataDir`
    DataDir(String),
    /// `SecUploadDir`
    UploadDir(String),
    /// `SecUploadFileLimit`
    UploadFileLimit(u64),
    /// `SecUploadFileMode`
    UploadFileMode(String),
    /// `SecUploadKeepFiles`
    UploadKeepFiles(UploadKeepFiles),
    /// `SecTmpSaveUploadedFiles`
    TmpSaveUploadedFiles(bool),
    /// `SecAuditEngine`
    AuditEngine(AuditEngine),
    /// `SecAuditLog`
    AuditLog(String),
    /// `SecAuditLog2`
    AuditLog2(String),
    /// `SecAuditLogDirMode`
    AuditLogDirMode(String),
    /// `SecAuditLogFileMode`
    AuditLogFileMode(String),
    /// `SecAuditLogFormat`
    AuditLogFormat(AuditLogFormat),
    /// `SecAuditLogParts`: letters from A to K, and Z
    AuditLogParts(String),
    /// `SecAuditLogRelevantStatus`: a regular expression
    AuditLogRelevantStatus(String),
    /// `SecAuditLogStorageDir`
    AuditLogStorageDir(String),
    /// `SecAuditLogType`
    AuditLogType(AuditLogType),
    /// `SecDebugLog`
    DebugLog(String),
    /// `SecDebugLogLevel`
    DebugLogLevel(u64),
    /// `SecSensorId`
    SensorId(String),
    /// `SecStatusEngine`
    StatusEngine(bool),
    /// `SecWebAppId`
    WebAppId(String),
}

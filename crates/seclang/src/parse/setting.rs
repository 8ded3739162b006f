//! Settings of the engine: `SecRequestBodyLimit 13107200`.

use super::{clauses::number, control::audit_part_letters, quoted::Words, toggle};
use crate::{
    ast::{
        AuditEngine, AuditLogFormat, AuditLogType, BodyLimitAction, EngineMode, Setting, UploadKeepFiles,
        named,
    },
    error::Problem,
};

named! {
    /// The settings that this engine knows.
    pub(super) enum SettingName {
        ArgumentSeparator = "SecArgumentSeparator",
        ArgumentsLimit = "SecArgumentsLimit",
        AuditEngine = "SecAuditEngine",
        AuditLog = "SecAuditLog",
        AuditLog2 = "SecAuditLog2",
        AuditLogDirMode = "SecAuditLogDirMode",
        AuditLogFileMode = "SecAuditLogFileMode",
        AuditLogFormat = "SecAuditLogFormat",
        AuditLogParts = "SecAuditLogParts",
        AuditLogRelevantStatus = "SecAuditLogRelevantStatus",
        AuditLogStorageDir = "SecAuditLogStorageDir",
        AuditLogType = "SecAuditLogType",
        CollectionTimeout = "SecCollectionTimeout",
        CookieFormat = "SecCookieFormat",
        DataDir = "SecDataDir",
        DebugLog = "SecDebugLog",
        DebugLogLevel = "SecDebugLogLevel",
        GeoLookupDatabase = "SecGeoLookupDb",
        ParseXmlIntoArgs = "SecParseXmlIntoArgs",
        PcreMatchLimit = "SecPcreMatchLimit",
        PcreMatchLimitRecursion = "SecPcreMatchLimitRecursion",
        RequestBodyAccess = "SecRequestBodyAccess",
        RequestBodyInMemoryLimit = "SecRequestBodyInMemoryLimit",
        RequestBodyJsonDepthLimit = "SecRequestBodyJsonDepthLimit",
        RequestBodyLimit = "SecRequestBodyLimit",
        RequestBodyLimitAction = "SecRequestBodyLimitAction",
        RequestBodyNoFilesLimit = "SecRequestBodyNoFilesLimit",
        ResponseBodyAccess = "SecResponseBodyAccess",
        ResponseBodyLimit = "SecResponseBodyLimit",
        ResponseBodyLimitAction = "SecResponseBodyLimitAction",
        ResponseBodyMimeType = "SecResponseBodyMimeType",
        ResponseBodyMimeTypesClear = "SecResponseBodyMimeTypesClear",
        RuleEngine = "SecRuleEngine",
        SensorId = "SecSensorId",
        StatusEngine = "SecStatusEngine",
        TmpDir = "SecTmpDir",
        TmpSaveUploadedFiles = "SecTmpSaveUploadedFiles",
        UnicodeMapFile = "SecUnicodeMapFile",
        UploadDir = "SecUploadDir",
        UploadFileLimit = "SecUploadFileLimit",
        UploadFileMode = "SecUploadFileMode",
        UploadKeepFiles = "SecUploadKeepFiles",
        WebAppId = "SecWebAppId",
        XmlExternalEntity = "SecXmlExternalEntity",
    }
}

/// Directives of the language that this engine does not have, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("IncludeOptional", "it belongs to Apache; use `Include`"),
    ("SecCacheTransformations", "values are always transformed once"),
    ("SecChrootDir", "this engine starts no programs"),
    ("SecConnEngine", "connections are limited by the server"),
    ("SecConnReadStateLimit", "connections are limited by the server"),
    ("SecConnWriteStateLimit", "connections are limited by the server"),
    ("SecContentInjection", "this engine changes no bodies"),
    ("SecCookieV0Separator", "cookies are separated by semicolons"),
    ("SecDisableBackendCompression", "this engine changes no headers"),
    ("SecGsbLookupDb", "it asks a service that is no more"),
    ("SecGuardianLog", "this engine starts no programs"),
    ("SecHashEngine", "this engine signs no links"),
    ("SecHashKey", "this engine signs no links"),
    ("SecHashMethodPm", "this engine signs no links"),
    ("SecHashMethodRx", "this engine signs no links"),
    ("SecHashParam", "this engine signs no links"),
    ("SecHttpBlKey", "this engine asks no name server"),
    ("SecInterceptOnError", "an error of a rule always refuses"),
    ("SecRemoteRules", "rules are loaded from files only"),
    ("SecRemoteRulesFailAction", "rules are loaded from files only"),
    ("SecRuleInheritance", "there are no contexts to inherit from"),
    ("SecRulePerfTime", "the trace of a request has the times of its stages"),
    ("SecRuleScript", "this engine runs no scripts"),
    ("SecServerSignature", "this engine changes no headers"),
    ("SecStreamInBodyInspection", "this engine changes no bodies"),
    ("SecStreamOutBodyInspection", "this engine changes no bodies"),
];

/// Why a directive of the language is not supported, if it is one.
pub(super) fn refused(name: &str) -> Option<Problem> {
    let (known, reason) = REFUSED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(Problem::Unsupported { what: "directive", name: (*known).to_owned(), reason })
}

/// Reads the value of a setting.
pub(super) fn parse(setting: SettingName, words: &mut Words<'_>) -> Result<Setting, Problem> {
    let name = setting.name();
    let value = match setting {
        SettingName::ResponseBodyMimeTypesClear => "",
        _ => words.require(name, "a value")?,
    };
    let invalid = |expected: &'static str| Problem::invalid(name, value, expected);
    let amount = || number(value).ok_or_else(|| invalid("a number"));
    let text = || value.to_owned();
    let toggle = || toggle(name, value);
    Ok(match setting {
        SettingName::ArgumentSeparator => Setting::ArgumentSeparator(one_byte(name, value)?),
        SettingName::ArgumentsLimit => Setting::ArgumentsLimit(amount()?),
        SettingName::AuditEngine => Setting::AuditEngine(
            AuditEngine::from_name(value).ok_or_else(|| invalid("`On`, `Off` or `RelevantOnly`"))?,
        ),
        SettingName::AuditLog => Setting::AuditLog(text()),
        SettingName::AuditLog2 => Setting::AuditLog2(text()),
        SettingName::AuditLogDirMode => Setting::AuditLogDirMode(text()),
        SettingName::AuditLogFileMode => Setting::AuditLogFileMode(text()),
        SettingName::AuditLogFormat => Setting::AuditLogFormat(
            AuditLogFormat::from_name(value).ok_or_else(|| invalid("`JSON` or `Native`"))?,
        ),
        SettingName::AuditLogParts => Setting::AuditLogParts(audit_part_letters(name, value)?),
        SettingName::AuditLogRelevantStatus => Setting::AuditLogRelevantStatus(text()),
        SettingName::AuditLogStorageDir => Setting::AuditLogStorageDir(text()),
        SettingName::AuditLogType => Setting::AuditLogType(
            AuditLogType::from_name(value).ok_or_else(|| invalid("`Serial`, `Parallel` or `HTTPS`"))?,
        ),
        SettingName::CollectionTimeout => Setting::CollectionTimeout(amount()?),
        SettingName::CookieFormat => Setting::CookieFormat(up_to(name, value, 1, "0 or 1")?),
        SettingName::DataDir => Setting::DataDir(text()),
        SettingName::DebugLog => Setting::DebugLog(text()),
        SettingName::DebugLogLevel => Setting::DebugLogLevel(up_to(name, value, 9, "0 to 9")?),
        SettingName::GeoLookupDatabase => Setting::GeoLookupDatabase(text()),
        SettingName::ParseXmlIntoArgs if value.eq_ignore_ascii_case("Off") => Setting::ParseXmlIntoArgsOff,
        SettingName::ParseXmlIntoArgs => {
            return Err(invalid(
                "`Off`: a document is `XML:/*` and `XML://@*`, and no arguments are made of it",
            ));
        }
        SettingName::PcreMatchLimit => Setting::PcreMatchLimit(amount()?),
        SettingName::PcreMatchLimitRecursion => Setting::PcreMatchLimitRecursion(amount()?),
        SettingName::RequestBodyAccess => Setting::RequestBodyAccess(toggle()?),
        SettingName::RequestBodyInMemoryLimit => Setting::RequestBodyInMemoryLimit(amount()?),
        SettingName::RequestBodyJsonDepthLimit => Setting::RequestBodyJsonDepthLimit(amount()?),
        SettingName::RequestBodyLimit => Setting::RequestBodyLimit(amount()?),
        SettingName::RequestBodyLimitAction => Setting::RequestBodyLimitAction(limit_action(name, value)?),
        SettingName::RequestBodyNoFilesLimit => Setting::RequestBodyNoFilesLimit(amount()?),
        SettingName::ResponseBodyAccess => Setting::ResponseBodyAccess(toggle()?),
        SettingName::ResponseBodyLimit => Setting::ResponseBodyLimit(amount()?),
        SettingName::ResponseBodyLimitAction => Setting::ResponseBodyLimitAction(limit_action(name, value)?),
        SettingName::RuleEngine => Setting::RuleEngine(
            EngineMode::from_name(value).ok_or_else(|| invalid("`On`, `Off` or `DetectionOnly`"))?,
        ),
        SettingName::SensorId => Setting::SensorId(text()),
        SettingName::StatusEngine => Setting::StatusEngine(toggle()?),
        SettingName::TmpDir => Setting::TmpDir(text()),
        SettingName::TmpSaveUploadedFiles => Setting::TmpSaveUploadedFiles(toggle()?),
        SettingName::UploadDir => Setting::UploadDir(text()),
        SettingName::UploadFileLimit => Setting::UploadFileLimit(amount()?),
        SettingName::UploadFileMode => Setting::UploadFileMode(text()),
        SettingName::UploadKeepFiles => Setting::UploadKeepFiles(
            UploadKeepFiles::from_name(value).ok_or_else(|| invalid("`On`, `Off` or `RelevantOnly`"))?,
        ),
        SettingName::WebAppId => Setting::WebAppId(text()),
        SettingName::XmlExternalEntity if toggle()? => {
            return Err(invalid("`Off`: a document must not make the server read files"));
        }
        SettingName::XmlExternalEntity => Setting::XmlExternalEntityOff,
        SettingName::ResponseBodyMimeType => mime_types(value, words)?,
        SettingName::ResponseBodyMimeTypesClear => Setting::ResponseBodyMimeTypesClear,
        SettingName::UnicodeMapFile => unicode_map(value, words)?,
    })
}

/// Media types up to the end of the directive, in lower case.
fn mime_types(first: &str, words: &mut Words<'_>) -> Result<Setting, Problem> {
    let mut types: Vec<String> = first.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    while let Some(word) = words.take()? {
        types.push(word.to_ascii_lowercase());
    }
    Ok(Setting::ResponseBodyMimeTypes(types))
}

/// A file and a code page: the one whose map this engine has.
fn unicode_map(file: &str, words: &mut Words<'_>) -> Result<Setting, Problem> {
    const NAME: &str = "SecUnicodeMapFile";
    const CODE_PAGE: u64 = 20127;
    const EXPECTED: &str = "the code page 20127 after the file: `t:urlDecodeUni` knows no other";
    let word = words.require(NAME, EXPECTED)?;
    let code_page = number(word).filter(|number| *number == CODE_PAGE);
    let code_page = code_page.ok_or_else(|| Problem::invalid(NAME, word, EXPECTED))?;
    Ok(Setting::UnicodeMap { file: file.to_owned(), code_page })
}

fn limit_action(name: &str, value: &str) -> Result<BodyLimitAction, Problem> {
    BodyLimitAction::from_name(value)
        .ok_or_else(|| Problem::invalid(name, value, "`Reject` or `ProcessPartial`"))
}

fn up_to(name: &str, value: &str, most: u64, expected: &'static str) -> Result<u64, Problem> {
    number(value).filter(|number| *number <= most).ok_or_else(|| Problem::invalid(name, value, expected))
}

fn one_byte(name: &str, value: &str) -> Result<u8, Problem> {
    match value.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(Problem::invalid(name, value, "one character of ASCII")),
    }
}

/// What the page about the language must name.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SettingName::ALL.iter().map(|known| known.name())
}

//! The settings of the engine, resolved: what the directives say, and the figures of the recommended configuration
//! where they say nothing.

use std::time::Duration;

use crate::{
    ast::{AuditEngine, BodyLimitAction, EngineMode, Setting},
    body::{CookieFormat, Limits},
};

/// How a rule set treats every exchange, unless a rule's `ctl` says otherwise.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SecRuleEngine`. Without it rules run and refuse: rules that do nothing until they are switched on protect nobody.
    pub mode: EngineMode,
    /// How requests' bodies are treated.
    pub request_body: BodySettings,
    /// How responses' bodies are treated.
    pub response_body: BodySettings,
    /// `SecResponseBodyMimeType`: bodies of other types are not looked at.
    pub response_body_types: Vec<String>,
    /// Whether directives have named these types, which then stand instead of the default ones.
    types_are_named: bool,
    /// `SecRequestBodyNoFilesLimit`: most bytes of a body that is not an upload.
    pub no_files_limit: usize,
    /// What body processors keep at most.
    pub limits: Limits,
    /// `SecArgumentSeparator`
    pub separator: u8,
    /// `SecCookieFormat`
    pub cookie_format: CookieFormat,
    /// `SecAuditEngine`
    pub audit: AuditEngine,
    /// `SecWebAppId`
    pub web_app_id: String,
    /// `SecCollectionTimeout`: how long a collection is kept in which nothing is changed.
    pub collection_timeout: Duration,
}

/// How bodies of one direction are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySettings {
    /// Whether rules see them.
    pub access: bool,
    /// Most bytes that rules see.
    pub limit: usize,
    /// What happens to a longer one.
    pub beyond_limit: BodyLimitAction,
}

impl Default for Settings {
    fn default() -> Self {
        const LIMIT: usize = 13_107_200;
        const NO_FILES_LIMIT: usize = 1 << 20;
        let bodies = |access, limit, beyond_limit| BodySettings { access, limit, beyond_limit };
        Self {
            mode: EngineMode::On,
            request_body: bodies(true, LIMIT, BodyLimitAction::Reject),
            response_body: bodies(false, 1 << 19, BodyLimitAction::ProcessPartial),
            response_body_types: ["text/plain", "text/html", "text/xml"].map(str::to_owned).to_vec(),
            types_are_named: false,
            no_files_limit: NO_FILES_LIMIT,
            limits: Limits { bytes: LIMIT, ..Limits::default() },
            separator: b'&',
            cookie_format: CookieFormat::Netscape,
            audit: AuditEngine::RelevantOnly,
            web_app_id: String::new(),
            collection_timeout: Duration::from_hours(1),
        }
    }
}

impl Settings {
    /// Takes a setting in. Those about files and logs have no meaning here: this engine writes none.
    pub(crate) fn apply(&mut self, setting: &Setting) {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).min(Self::LARGEST_BODY);
        match setting {
            Setting::RuleEngine(mode) => self.mode = *mode,
            Setting::RequestBodyAccess(access) => self.request_body.access = *access,
            Setting::RequestBodyLimit(bytes) => {
                self.request_body.limit = size(*bytes);
                self.limits.bytes = self.limits.bytes.max(size(*bytes));
            }
            Setting::RequestBodyNoFilesLimit(bytes) => self.no_files_limit = size(*bytes),
            Setting::RequestBodyLimitAction(action) => self.request_body.beyond_limit = *action,
            Setting::RequestBodyJsonDepthLimit(depth) => self.limits.depth = size(*depth),
            Setting::ArgumentsLimit(arguments) => self.limits.arguments = size(*arguments),
            Setting::ArgumentSeparator(separator) => self.separator = *separator,
            Setting::ResponseBodyAccess(access) => self.response_body.access = *access,
            Setting::ResponseBodyMimeTypes(types) => {
                if !std::mem::replace(&mut self.types_are_named, true) {
                    self.response_body_types.clear();
                }
                self.response_body_types.extend_from_slice(types);
            }
            Setting::ResponseBodyMimeTypesClear => {
                self.types_are_named = true;
                self.response_body_types.clear();
            }
            Setting::ResponseBodyLimit(bytes) => self.response_body.limit = size(*bytes),
            Setting::ResponseBodyLimitAction(action) => self.response_body.beyond_limit = *action,
            Setting::CookieFormat(version) => {
                self.cookie_format =
                    if *version == 0 { CookieFormat::Netscape } else { CookieFormat::Rfc2109 };
            }
            Setting::UploadFileLimit(files) => self.limits.files = size(*files),
            Setting::AuditEngine(engine) => self.audit = *engine,
            Setting::WebAppId(id) => self.web_app_id.clone_from(id),
            Setting::CollectionTimeout(seconds) => self.collection_timeout = Duration::from_secs(*seconds),
            _ => {}
        }
    }

    /// Whether a response of this type, named without parameters, is looked at.
    pub(crate) fn selects_type(&self, content_type: &[u8]) -> bool {
        self.response_body_types.iter().any(|known| content_type.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// Positions in an exchange's bytes are 32 bits wide.
    const LARGEST_BODY: usize = 1 << 30;
}

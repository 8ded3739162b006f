//! What own rule files say and the gateway does not do: settings of bodies, which routes have, and rules about responses that
//! nobody looks at. Nothing of a rule file is left out silently.

use std::path::PathBuf;

use bartizan_seclang::{
    Place, RuleFiles, SeclangError,
    ast::{DirectiveKind, Phase, Setting},
};

/// What stands in the files under `include`.
#[derive(Debug, Default)]
pub(super) struct Unheeded {
    /// The first rule of the phases 3 and 4.
    pub(super) of_responses: Option<(u64, Place)>,
    /// Settings in the place of which the route's count: what is said, where, and the key of the route.
    pub(super) settings: Vec<(&'static str, Place, &'static str)>,
}

impl Unheeded {
    pub(super) fn of(include: &[PathBuf]) -> Result<Self, SeclangError> {
        let mut files = RuleFiles::default();
        for path in include {
            // These are names, not patterns.
            files.add_files(&glob::Pattern::escape(&path.to_string_lossy()))?;
        }
        let mut unheeded = Self::default();
        for directive in files.directives() {
            match &directive.kind {
                DirectiveKind::Rule(rule)
                    if matches!(rule.phase, Phase::ResponseHeaders | Phase::ResponseBody) =>
                {
                    unheeded.of_responses.get_or_insert_with(|| (rule.id, directive.place.clone()));
                }
                DirectiveKind::Setting(setting) => {
                    let said = key(setting);
                    unheeded.settings.extend(said.map(|(said, key)| (said, directive.place.clone(), key)));
                }
                _ => {}
            }
        }
        Ok(unheeded)
    }
}

/// What a setting is called, and the route's key that counts in its place. What says the same as the gateway does is none.
fn key(setting: &Setting) -> Option<(&'static str, &'static str)> {
    match setting {
        Setting::RequestBodyAccess(false) => Some(("SecRequestBodyAccess Off", "mode: off")),
        Setting::RequestBodyLimit(_) => Some(("SecRequestBodyLimit", "max_body")),
        Setting::RequestBodyNoFilesLimit(_) => Some(("SecRequestBodyNoFilesLimit", "max_body")),
        Setting::RequestBodyLimitAction(_) => Some(("SecRequestBodyLimitAction", "on_large_body")),
        Setting::ResponseBodyAccess(_) => Some(("SecResponseBodyAccess", "responses")),
        Setting::ResponseBodyMimeTypes(_) => Some(("SecResponseBodyMimeType", "responses.types")),
        Setting::ResponseBodyLimit(_) => Some(("SecResponseBodyLimit", "responses.max_body")),
        Setting::ResponseBodyLimitAction(_) => Some(("SecResponseBodyLimitAction", "responses.max_body")),
        _ => None,
    }
}

//! Zones as policies, and what is permitted where nobody has written any.

use std::path::PathBuf;

use bartizan_config::{PolicyFile, ZoneRule};

/// What built-in policies are said to be in.
pub(crate) const BUILT_IN: &str = "built-in";

/// The policies that come from elsewhere in the configuration; `is_alone`: there are no others.
pub(crate) fn built_in(zones: &[ZoneRule], is_alone: bool) -> Option<PolicyFile> {
    let mut text = String::new();
    if is_alone {
        text.push_str(
            "// No policies are configured: the permissions decide, and zones.\n\
             @id(\"built-in/permissions\")\npermit (principal, action, resource);\n\n",
        );
    }
    for rule in zones {
        text.push_str(&of_zone(rule));
    }
    (!text.is_empty()).then(|| PolicyFile { path: PathBuf::from(BUILT_IN), text })
}

fn of_zone(ZoneRule { zone, line, callers }: &ZoneRule) -> String {
    let callers: Vec<_> = callers.iter().map(|caller| format!("Zone::\"{caller}\"")).collect();
    let unless = if callers.is_empty() {
        String::new()
    } else {
        format!("\nunless {{ principal in [{}] }}", callers.join(", "))
    };
    format!(
        "// `zones`, {line} of the configuration.\n@id(\"built-in/zone-{zone}\")\n\
         forbid (principal, action, resource in Zone::\"{zone}\"){unless};\n\n"
    )
}

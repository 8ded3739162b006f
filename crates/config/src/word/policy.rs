//! The words of policies: zones, actions, types of entities.

use bartizan_model::Zone;
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{forms::Forms, suggestion};

/// The longest name of an action or a type.
const LONGEST: usize = 256;
/// Words of the Cedar language, which name nothing else.
const RESERVED: [&str; 10] = ["true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"];

impl Forms for Zone {
    const NAME: &'static str = "ZoneName";
    const EXPECTED: &'static str = "a zone: `public`, `gateway`, `services` or `data`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "enum": Self::ALL.map(Self::as_str).into_iter().chain(["dmz"]).collect::<Vec<_>>(),
            "description": "A part of the system, by how much is trusted of what is there: `public` (or `dmz`) 0, \
                            `gateway` 1, `services` 2, `data` 3.",
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        word.parse().map_err(|_| {
            let hint = suggestion::hint(word, Self::ALL.map(Self::as_str)).unwrap_or_default();
            format!("there is no zone `{word}`: {hint}")
        })
    }
}

/// What the gateway says itself: requests do not name it.
const OWN_TYPES: [&str; 4] = ["Action", "Route", "Role", "Zone"];

/// `orders:refund`.
#[derive(Debug, Clone)]
pub(crate) struct ActionName(pub(crate) String);

impl Forms for ActionName {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "the name of an action, such as `orders:refund`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": LONGEST })
    }

    fn word(word: &str) -> Result<Self, String> {
        let is_plain = |character: char| !character.is_control() && !matches!(character, '"' | '\\');
        if (1..=LONGEST).contains(&word.len()) && word.trim() == word && word.chars().all(is_plain) {
            Ok(Self(word.into()))
        } else {
            Err(format!("`{word}` is no name of an action: write for example `orders:refund`"))
        }
    }
}

/// `Order`, `Shop::Order`.
#[derive(Debug, Clone)]
pub(crate) struct EntityType(pub(crate) String);

impl Forms for EntityType {
    const NAME: &'static str = "";
    const EXPECTED: &'static str = "a type of entities, such as `Order`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*$" })
    }

    fn word(word: &str) -> Result<Self, String> {
        let is_identifier = |part: &str| {
            part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !RESERVED.contains(&part)
        };
        let is_action = word.ends_with("::Action");
        if OWN_TYPES.contains(&word) || is_action {
            Err(format!("`{word}` is a type of the gateway's own, which requests do not name"))
        } else if word.len() <= LONGEST && word.split("::").all(is_identifier) {
            Ok(Self(word.into()))
        } else {
            Err(format!("`{word}` is no type of entities: write for example `Order`"))
        }
    }
}

//! Cedar policies: where they are, what routes ask of them, and which zones may call which.

use std::path::PathBuf;

use bartizan_model::{Line, Zone};

/// `policies:`.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// Where it stands in the file.
    pub line: Line,
    /// Whether what no policy permits is refused.
    pub mode: PolicyMode,
    /// The policies, in the order in which they are named.
    pub files: Vec<PolicyFile>,
    /// Entity types and actions beside those of routes and permissions.
    pub schemas: Vec<PolicyFile>,
}

impl Policies {
    /// Puts a file in the place of the one that has its name, or adds it.
    pub fn put(&mut self, file: PolicyFile) {
        let known = self.files.iter_mut().find(|known| known.path.file_name() == file.path.file_name());
        match known {
            Some(known) => *known = file,
            None => self.files.push(file),
        }
    }
}

/// What a file of policies, or of a schema, held when the configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// Whether what no policy permits is refused.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PolicyMode {
    /// It is.
    #[default]
    Enforce,
    /// It is only reported that it would have been.
    Shadow,
}

/// Who may call the routes of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRule {
    /// The zone.
    pub zone: Zone,
    /// Where that stands in the file.
    pub line: Line,
    /// The zones from which callers may come. Empty: nobody.
    pub callers: Vec<Zone>,
}

/// What the requests of a route ask of the policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoutePolicy {
    /// Where it stands in the file.
    pub line: Line,
    /// Whether they ask at all; `policy: off` does not.
    pub is_asked: bool,
    /// The action; `None`: what the route's permissions, or its method and path, say.
    pub action: Option<String>,
    /// What is acted on; `None`: the route.
    pub resource: Option<EntityPattern>,
    /// What the resource belongs to, beside the route.
    pub parents: Vec<EntityPattern>,
}

/// An entity that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityPattern {
    /// Its type, as Cedar writes it.
    pub entity_type: String,
    /// Its id.
    pub id: Vec<IdPart>,
}

/// A part of an entity's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdPart {
    /// The same for every request.
    Text(String),
    /// The segment of the path with this number, counted from 0.
    Segment(usize),
}

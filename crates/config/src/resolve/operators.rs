//! `operators:`.

use crate::{Operator, file::Entries, forms::Parsed, located::Optional, problems::Problems, word::KeyHash};

/// Who has a token of their own. One token is one operator's, or the audit trail would name the wrong one.
pub(super) fn resolve(
    operators: &Optional<Entries<Parsed<KeyHash>>>,
    problems: &mut Problems<'_>,
) -> Vec<Operator> {
    let mut resolved: Vec<Operator> = Vec::new();
    for (key, hash) in operators.iter().flat_map(|operators| &operators.value.0) {
        let (Some(name), Some(KeyHash(digest))) = (problems.read(key), problems.read(hash)) else { continue };
        if let Some(other) = resolved.iter().find(|other| other.hash == digest) {
            problems
                .error(hash.position, format!("`{}` has the same token", other.name))
                .help("give every operator a token of their own: `bartizan api-key new NAME`");
        }
        resolved.push(Operator { name, hash: digest });
    }
    resolved
}

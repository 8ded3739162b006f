//! The built-in tables of costs: they exist by name without being written in the document.

use std::num::NonZeroU32;

use crate::{
    OperationCost, OperationPattern, forms::Forms, located::Position, problems::Problems,
    resolve::limits::LimitedRoute,
};

/// What calls and speech cost whoever pays for them; everything else costs 1.
const VOICE: [(&str, u32); 5] = [
    ("/api/calls/start", 5),
    ("/api/calls/transcript", 2),
    ("/api/calls/end", 1),
    ("/api/voice/process", 10),
    ("/api/voice/synthesize", 8),
];

/// What a table says of the operations that the route serves. The tables are those of
/// `COST_TABLES`, of which there is one.
pub(super) fn operations(
    name: &str,
    position: Position,
    route: &LimitedRoute<'_>,
    problems: &mut Problems<'_>,
) -> Vec<OperationCost> {
    let listed = VOICE.iter().filter_map(|(path, cost)| {
        let operation = OperationPattern::word(path).ok()?;
        Some(OperationCost { operation, cost: NonZeroU32::new(*cost)? })
    });
    let served: Vec<_> = listed.filter(|listed| route.serves(&listed.operation)).collect();
    if served.is_empty() {
        problems
            .warning(
                position,
                format!("`cost: {name}` has no effect: this route serves none of its operations"),
            )
            .help("they lie below `/api/calls` and `/api/voice`; write a table of your own for others");
    }
    served
}

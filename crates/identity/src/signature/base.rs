//! The signature base: the text that is signed (RFC 9421, section 2.5).

use super::{Message, component::Component};
use crate::InvalidReason;

/// One line for each component, and one with the parameters, which name the components once more.
pub(super) fn signature_base(
    message: &Message<'_>,
    components: &[Component],
    parameters: &str,
) -> Result<Vec<u8>, InvalidReason> {
    let mut base = Vec::with_capacity(512);
    for component in components {
        base.extend_from_slice(component.identifier().as_bytes());
        base.extend_from_slice(b": ");
        // INVARIANT: neither targets nor field values hold line ends, so that no value can pass for another line.
        base.extend_from_slice(&component.value(message)?);
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(parameters.as_bytes());
    Ok(base)
}

//! Refuses blocked addresses. Costs one look-up without a lock; cannot err.

use bartizan_model::Line;
use bartizan_reputation::{AddressLists, Standing};

use super::Passed;
use crate::{Code, Exchange, Refusal, Stop};

pub(crate) fn run(exchange: &Exchange, addresses: &AddressLists) -> Result<Passed, Stop> {
    let Some(entry) = addresses.standing(exchange.client.address, exchange.arrived) else {
        return Ok(Passed::because("address not listed", Line::NONE));
    };
    let because = |standing: &str| match entry.reason.as_ref() {
        "" => format!("address {standing}"),
        reason => format!("address {standing}: {reason}"),
    };
    match entry.standing {
        Standing::Allowed => Ok(Passed::because(because("allowed"), Line::NONE)),
        Standing::Blocked => Err(Refusal::new(Code::AddressBlocked, because("blocked")).into()),
    }
}

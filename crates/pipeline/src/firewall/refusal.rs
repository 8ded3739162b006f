//! How a refusal by rules is answered: as 403 `suspicious_activity_detected`, unless an own rule says otherwise.

use std::ops::RangeInclusive;

use bartizan_seclang::{Disruption, Interruption};
use http::{HeaderValue, StatusCode, header};

use super::{Inspected, Judged, PROVEN_FOR};
use crate::{Code, Refusal, stage::authorize::further_proof};

/// The numbers of rules that others wrote, as they are given out: to `ModSecurity`'s recommended configuration, to the Core
/// Rule Set, and to the starter rules. Their statuses are not the operator's.
const OF_OTHERS: [RangeInclusive<u64>; 3] = [200_000..=299_999, 900_000..=999_999, 10_000_000..=10_999_999];

/// The refusal of what a rule objects to.
pub(super) fn of(judged: Judged, objection: &Interruption, account: &Inspected) -> Refusal {
    let code = match judged {
        Judged::RefusedResponse => Code::WafResponseRefused,
        Judged::Passed | Judged::RefusedRequest => Code::WafRefused,
    };
    let mut refusal = Refusal::new(code, account.summary());
    if !objection.rule.is_some_and(is_own) {
        refusal.close = objection.action == Disruption::Drop;
        return refusal;
    }
    let status = StatusCode::from_u16(objection.status).ok();
    match &objection.action {
        Disruption::Drop => refusal.closing(),
        Disruption::Deny => {
            // What a rule says that says nothing is no wish.
            refusal.other_status = status.filter(|status| {
                (status.is_client_error() || status.is_server_error()) && *status != StatusCode::FORBIDDEN
            });
            refusal
        }
        Disruption::Redirect(target) => match (redirection(status), HeaderValue::try_from(target)) {
            (Some(status), Ok(target)) => {
                refusal.other_status = Some(status);
                refusal.with_header(header::LOCATION, target)
            }
            _ => refusal,
        },
    }
}

/// What whoever can prove themselves is answered instead.
pub(super) fn challenge(account: &Inspected) -> Refusal {
    further_proof(Some(PROVEN_FOR), account.summary())
}

fn is_own(rule: u64) -> bool {
    !OF_OTHERS.iter().any(|numbers| numbers.contains(&rule))
}

/// Those that no cache keeps (RFC 9110, sections 15.4.3, 15.4.4 and 15.4.8).
fn redirection(status: Option<StatusCode>) -> Option<StatusCode> {
    let temporary = [StatusCode::FOUND, StatusCode::SEE_OTHER, StatusCode::TEMPORARY_REDIRECT];
    status.filter(|status| temporary.contains(status))
}

#[cfg(test)]
mod tests {
    use super::{super::tests, *};

    fn answer(rule: u64, status: u16, action: Disruption) -> (u16, Option<String>, bool) {
        let account = tests::begin(&tests::starter(""), "/0").account();
        let objection = Interruption { rule: Some(rule), status, action };
        let refusal = of(Judged::RefusedRequest, &objection, &account);
        let location = refusal.headers.iter().find(|(name, _)| name == header::LOCATION);
        let location = location.map(|(_, value)| value.to_str().unwrap().to_owned());
        (refusal.status().as_u16(), location, refusal.close)
    }

    #[test]
    fn own_rules_say_how_they_are_answered() {
        let to = |target: &str| Disruption::Redirect(target.into());
        let there = Some("https://shop.test/blocked".to_owned());
        let cases = [
            (100, 404, Disruption::Deny, (404, None, false)),
            (100, 503, Disruption::Deny, (503, None, false)),
            (100, 403, Disruption::Deny, (403, None, false)),
            (100, 200, Disruption::Deny, (403, None, false)),
            (100, 302, Disruption::Deny, (403, None, false)),
            (100, 0, Disruption::Deny, (403, None, false)),
            (100, 404, Disruption::Drop, (403, None, true)),
            (100, 302, to("https://shop.test/blocked"), (302, there.clone(), false)),
            (100, 307, to("https://shop.test/blocked"), (307, there, false)),
            (100, 301, to("https://shop.test/blocked"), (403, None, false)),
            (100, 302, to("https://shop.test/\r\nSet-Cookie: a=b"), (403, None, false)),
            // Rules of others keep the gateway's answer.
            (200_002, 400, Disruption::Deny, (403, None, false)),
            (942_100, 404, Disruption::Deny, (403, None, false)),
            (10_090_040, 404, Disruption::Drop, (403, None, true)),
            (942_100, 302, to("https://shop.test/blocked"), (403, None, false)),
        ];
        for (rule, status, action, expected) in cases {
            assert_eq!(answer(rule, status, action.clone()), expected, "{rule} {status} {action:?}");
        }
    }

    #[test]
    fn a_response_is_withheld_with_the_status_that_a_rule_wants() {
        let account = tests::begin(&tests::starter(""), "/0").account();
        for (status, expected) in [(500, 500), (403, 502)] {
            let objection = Interruption { rule: Some(100), status, action: Disruption::Deny };
            assert_eq!(of(Judged::RefusedResponse, &objection, &account).status().as_u16(), expected);
        }
    }
}

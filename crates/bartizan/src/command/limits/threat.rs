//! The threat that limits see, in words.

use bartizan_control::{LimitRecommendation, LimitThreat};

use crate::output::{ATTENTION, BAD, GOOD, styled};

/// From here on somebody is worth a look, and from there on more than that: what the gateway recommends from.
const ATTENTION_FROM: u8 = 25;
const BAD_FROM: u8 = 55;

/// `threat 70 of 100, 100 % of the limits used: challenge them`.
pub(crate) fn told(threat: &LimitThreat) -> String {
    let style = match threat.score {
        BAD_FROM.. => BAD,
        ATTENTION_FROM.. => ATTENTION,
        _ => GOOD,
    };
    let score = styled(style, format_args!("threat {} of 100", threat.score));
    let advice: Vec<_> = threat.recommendations.iter().map(|advice| words(*advice)).collect();
    let advice = if advice.is_empty() { String::new() } else { format!(": {}", advice.join("; ")) };
    format!("{score}, {:.0} % of the limits used{advice}", threat.weighted_use * 100.0)
}

fn words(recommendation: LimitRecommendation) -> &'static str {
    match recommendation {
        LimitRecommendation::BlockAddress => {
            "block the address for a while (`bartizan block ADDRESS --for 1h`)"
        }
        LimitRecommendation::Challenge => "challenge them",
        LimitRecommendation::RequireAuthentication => "let the route ask for a credential",
        LimitRecommendation::ReviewQuota => "raise the quota if this caller is meant to ask so much",
        LimitRecommendation::Watch => "watch them",
    }
}

//! What the rules of a policy say that is accepted, but probably not meant: policies that are switched off, places that
//! gateways do not share, and headers that say nothing of who asks.

use http::{HeaderName, header};

use crate::{
    Amount, Dimension, LimitPolicy, UnderscoreHeaders, file,
    located::{At, Position},
    problems::Problems,
};

/// What clients say of themselves and proxies of clients, by the begin of the name; what is proven is counted by something
/// else.
const CLAIMED: [(&str, &str); 8] = [
    ("x-user-", "count by `user`"),
    ("x-organization-", "count by `organization`"),
    ("x-bartizan-", "count by what you know of your clients"),
    ("x-forwarded-", ADDRESS),
    ("forwarded", ADDRESS),
    ("x-real-ip", ADDRESS),
    ("x-client-ip", ADDRESS),
    ("true-client-ip", ADDRESS),
];
const ADDRESS: &str = "count by `address`, and list your proxies under `listen.trusted_proxies`";

/// Headers that belong to one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Warns of what `policy` says that is probably not meant; it was written as `file`, without any mistake.
pub(crate) fn warn(
    policy: &At<&LimitPolicy>,
    file: &file::LimitPolicy,
    document: &file::Document,
    problems: &mut Problems<'_>,
) {
    if policy.rules.iter().all(|rule| !rule.enabled) {
        problems
            .warning(
                policy.position,
                format!("every rule of `{}` is switched off: it limits nothing", policy.name),
            )
            .help("take `enabled: false` from one of them, or the policy from its routes");
        return;
    }
    let hardening = document.hardening.as_ref();
    let underscores = hardening.and_then(|hardening| hardening.underscore_headers.get()).unwrap_or_default();
    for (rule, file) in policy.rules.iter().zip(&file.rules.value).filter(|(rule, _)| rule.enabled) {
        if let (Amount::Concurrent(at_most), Some(concurrent), Some(_)) =
            (rule.amount, file.concurrent.as_ref(), document.shared.as_ref())
        {
            let message = format!(
                "the rule `{}` is not shared: each gateway admits {at_most} in flight by itself",
                rule.name
            );
            problems
                .warning(concurrent.position, message)
                .help("write what one gateway may admit, or add a `rate`, which gateways share");
        }
        for (dimension, position) in rule.per.iter().zip(positions(file)) {
            if let Dimension::Header(name) = dimension {
                header(name, position, underscores, problems);
            }
        }
    }
}

/// Where the dimensions of a rule stand, in their order.
fn positions(file: &file::LimitRule) -> Vec<Position> {
    let words = file.per.value.0.as_ref().map(|per| file.per.with(per.clone()).all()).unwrap_or_default();
    words.iter().map(|word| word.position).collect()
}

fn header(
    name: &HeaderName,
    position: Position,
    underscores: UnderscoreHeaders,
    problems: &mut Problems<'_>,
) {
    let claimed = CLAIMED.iter().find(|(begin, _)| name.as_str().starts_with(begin));
    if let Some((_, instead)) = claimed {
        let message = format!(
            "`header:{name}` is what clients say of themselves: nobody has verified it where limits are decided"
        );
        problems.warning(position, message).help(instead);
    } else if HOP_BY_HOP.contains(name) {
        let message = format!("`header:{name}` is about the connection: it says nothing of who asks");
        problems.warning(position, message).help("count by another header, or by `address`");
    } else if name.as_str().contains('_') && underscores != UnderscoreHeaders::Allow {
        let fate = if underscores == UnderscoreHeaders::Drop { "dropped" } else { "refused" };
        let message =
            format!("`header:{name}` is always empty: headers with an underscore in their name are {fate}");
        problems
            .warning(position, message)
            .help("write it with a hyphen, or set `hardening.underscore_headers: allow`");
    }
}

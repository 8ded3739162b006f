//! Mistakes of `alerts`, and that none of them shows a secret.

use bartizan_config::Severity;

use super::{Case, check};
use crate::{LONG_SECRET, parse, with};

const CHANNELS: &str = "channels: { team: { slack: { secret: \"https://hooks.slack.test/${TOKEN_SECRET}\" } }, hook: { webhook: { url: \"https://hooks.test/\", secret: \"${TOKEN_SECRET}\" } } }";

fn alerts(keys: &str) -> String {
    with(&format!("alerts: {{ {CHANNELS}, {keys} }}"))
}

fn channel(keys: &str) -> String {
    with(&format!("alerts: {{ channels: {{ one: {keys} }} }}"))
}

#[test]
fn mistakes_of_alerts() {
    let one = "write one of `mail`, `slack`, `webhook`, `pagerduty`, `opsgenie` and `template`";
    let shift = "members: [[team]], from: \"2026-01-05T09:00:00Z\"";
    let exactly_one = [("the channel `one` needs exactly one kind", one)];
    let cases: Vec<Case<'_>> = vec![
        (with("alerts: §{ channels: {} }"), &[("`alerts` has no channel", "add one")]),
        (channel("§{}"), &exactly_one),
        (channel("§{ mail: a@b.test, slack: { secret: \"${TOKEN_SECRET}\" } }"), &exactly_one),
        (channel("{ mail: §a@b.test }"), &[("it is not said how mail is sent", "add `mail` to `alerts`")]),
        (channel("{ slack: §{} }"), &[("this needs one of `secret` and `secret_file`", "")]),
        (
            channel("{ slack: §{ secret: \"${TOKEN_SECRET}\" } }"),
            &[("the secret of `slack` is not a URL", "the whole URL")],
        ),
        (
            channel("{ webhook: { url: §\"http://hooks.test/\", secret: \"${TOKEN_SECRET}\" } }"),
            &[("`http://hooks.test/`: alerts would travel in clear", "use `https:`")],
        ),
        (
            channel("{ webhook: §{ url: \"https://hooks.test/\", secret: \"${SHORT_SECRET}\" } }"),
            &[("the secret of `webhook` has less than 32 bytes", "openssl rand")],
        ),
        (
            channel("{ template: { url: §\"https://{address}/\" } }"),
            &[("placeholders stand in path and query only", "")],
        ),
        (
            channel("{ template: { url: \"https://sms.test/\", body: §\"{adress}\" } }"),
            &[("there is no placeholder `{adress}`", "did you mean `address`?")],
        ),
        (
            channel("{ template: §{ url: \"https://sms.test/\", headers: { content-type: image/png } } }"),
            &[("it is not known how values are escaped in content of this `content-type`", "write JSON")],
        ),
        (
            alerts("routes: [{ to: §teem }]"),
            &[("there is no channel or rotation `teem`", "did you mean `team`?")],
        ),
        (
            alerts("routes: [{ to: team, kinds: [§attack_detect] }]"),
            &[("there are no events of the type `attack_detect`", "did you mean `attack_detected`?")],
        ),
        (alerts("routes: §[]"), &[("`routes` is empty: nobody would be told", "leave it out")]),
        (
            alerts("routes: [{ name: all, to: team }, §{ to: hook, severity: critical }]"),
            &[("`all` takes everything that this route would", "put the narrower route first")],
        ),
        (
            alerts(
                "routes: [{ name: all, paths: [/admin/**], to: team }, §{ to: hook, paths: [/admin/users] }]",
            ),
            &[("`all` takes everything that this route would", "put the narrower route first")],
        ),
        (
            alerts("routes: [{ to: team, escalate: [{ after: 5m, to: hook }, { after: §5m, to: hook }] }]"),
            &[("this step is not after the one before it", "`after` counts from the first notification")],
        ),
        (alerts("routes: [{ to: team, repeat: §59s }]"), &[("`repeat` is a minute or more", "")]),
        (
            alerts("rotations: { on-call: { members: §[], every: 7d, from: \"2026-01-05T09:00:00Z\" } }"),
            &[("the rotation `on-call` has no members, or more than 64", "list the channels")],
        ),
        (
            alerts("rotations: { on-call: { members: [§[]], every: 7d, from: \"2026-01-05T09:00:00Z\" } }"),
            &[("this member has no channel", "")],
        ),
        (
            alerts(&format!("rotations: {{ on-call: {{ {shift}, every: §30min }} }}")),
            &[("a turn lasts an hour or more", "")],
        ),
        (
            alerts(&format!("rotations: {{ §team: {{ {shift}, every: 7d }} }}")),
            &[("`team` is a channel already", "name it otherwise")],
        ),
        (
            alerts("rotations: { on-call: { members: [[team]], every: 7d, from: §\"2026-01-05\" } }"),
            &[("`2026-01-05` is no moment: write for example `2026-01-05T09:00:00+01:00`", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn routes_that_can_be_reached_are_no_mistake() {
    for routes in [
        "{ to: team, continue: true }, { to: hook }",
        "{ to: team, severity: critical }, { to: hook }",
        "{ to: team, when: { from: \"08:00\", until: \"18:00\" } }, { to: hook }",
        "{ to: team, kinds: [attack_detected] }, { to: hook, kinds: [attack_detected, token_reused] }",
    ] {
        let text = alerts(&format!("routes: [{routes}]"));
        let loaded = crate::parse_in(crate::folder().path(), &text);
        let config = loaded.unwrap_or_else(|error| panic!("{text}\n{error}")).config;
        assert_eq!(config.alerts.unwrap().routes.len(), 2);
    }
}

#[test]
fn no_secret_is_shown_by_a_problem() {
    for text in [
        channel(&format!("{{ slack: {{ secret: \"http://hooks.test/{LONG_SECRET}\" }} }}")),
        channel(&format!("{{ pagerduty: {{ secret: \"{LONG_SECRET}\", url: \"ftp://x\" }} }}")),
    ] {
        let shown = parse(&text).unwrap_err().to_string();
        assert!(!shown.contains(LONG_SECRET), "{shown}");
    }
}

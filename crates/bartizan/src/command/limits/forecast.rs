//! `bartizan limits forecast`.

use std::path::PathBuf;

use anstyle::Style;
use anyhow::Result;
use bartizan_config::LimitsProposal;
use bartizan_control::{
    LimitAlgorithm, LimitForecast, LimitMode, LimitNotForecast, LimitProposal, LimitRuleForecast, LimitTerms,
    LimitValueForecast,
};
use clap::Args;

use super::{amount, span, visible};
use crate::{
    admin::AdminOptions,
    document,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, complain, print, styled},
};

/// Show what other limits would have done: who of the last hour would have been refused.
///
/// Replays the requests of the last hour twice, with the limits in use and with those of FILE, as if nobody had used
/// anything before. Changes nothing.
///
/// FILE is a changed copy of the configuration, or holds `limits` alone: each policy takes the place of the one in use
/// with its name. What limits a route is under `routes`, where `path`, `hosts`, `methods`, `limit` and `cost` are enough.
/// Routes that FILE does not list stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits forecast --policy stricter.yaml\n  \
                        bartizan limits forecast --policy bartizan.yaml.new --json | jq .values\n\n\
                        A FILE:\n  limits: { voice: [{ per: address, rate: 50/min }] }")]
pub(super) struct Forecast {
    /// The limits to try.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Forecast {
    pub(super) async fn run(self) -> Result<()> {
        let (proposal, warnings) = LimitsProposal::load(&self.policy)?;
        if !warnings.is_empty() {
            complain(document::render(&warnings));
        }
        // Only what is said of limits: the rest of a configuration, secrets too, is nobody's business.
        let proposal = LimitProposal { document: proposal.document() };
        let forecast: LimitForecast = self.admin.client()?.post_json("v1/limits/forecast", &proposal).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&forecast)?);
        }
        let mut parts = vec![covered(&forecast)];
        if forecast.requests > 0 {
            parts.push(rules(&forecast.rules).to_string());
            parts.push(in_all(&forecast, &document::shown(&self.policy)));
        }
        if !forecast.values.is_empty() {
            parts.push(values(&forecast.values).to_string());
        }
        if !forecast.not_forecast.is_empty() {
            parts.push(not_forecast(&forecast.not_forecast).to_string());
        }
        print(parts.join("\n\n"))
    }
}

fn covered(forecast: &LimitForecast) -> String {
    let LimitForecast { covered_seconds, requests, missing, .. } = forecast;
    let time = span(*covered_seconds);
    if *requests == 0 {
        return format!(
            "nothing to replay: no request was recorded in the last {time}. Requests are recorded while some route of \
             the running configuration is limited"
        );
    }
    let requests = number(*requests, "request");
    let mut text = format!("{requests} of the last {time}, replayed as if nobody had used anything before");
    if *missing > 0 {
        let missing =
            format!("{missing} more of the last hour are not among them: there was no room for them");
        text = format!("{text}\n{}", styled(ATTENTION, missing));
    }
    text
}

fn rules(rules: &[LimitRuleForecast]) -> Table {
    let mut table = Table::new(&["POLICY", "RULE", "LIMIT", "REQUESTS", "REFUSED NOW", "THEN", "VALUES"]);
    for rule in rules {
        table.row([
            Cell::new(PLAIN, &rule.policy),
            Cell::new(PLAIN, &rule.rule),
            change(rule.now.as_ref(), rule.then.as_ref()),
            rule.requests.into(),
            rule.refused_now.into(),
            Cell::new(compared(rule.refused_now, rule.refused_then), rule.refused_then),
            rule.values_refused.into(),
        ]);
    }
    table
}

/// `100/min -> 50/min`.
fn change(now: Option<&LimitTerms>, then: Option<&LimitTerms>) -> Cell {
    let told = |terms: Option<&LimitTerms>| terms.map_or_else(|| "none".into(), terms_of);
    let (before, after) = (told(now), told(then));
    if before == after { Cell::new(FAINT, after) } else { Cell::new(PLAIN, format!("{before} -> {after}")) }
}

fn terms_of(terms: &LimitTerms) -> String {
    let algorithm = match terms.quota.algorithm {
        LimitAlgorithm::TokenBucket => "",
        LimitAlgorithm::SlidingWindow => " sliding-window",
        LimitAlgorithm::FixedWindow => " fixed-window",
    };
    let mode = match terms.mode {
        LimitMode::Enforce => "",
        LimitMode::Shadow => " shadow",
    };
    format!("{}{algorithm}{mode}", amount(&terms.quota))
}

fn in_all(forecast: &LimitForecast, file: &str) -> String {
    let LimitForecast { refused_now, refused_then, .. } = forecast;
    let difference = match refused_then.checked_sub(*refused_now) {
        Some(more) => format!("+{more}"),
        None => format!("-{}", refused_now - refused_then),
    };
    let then =
        styled(compared(*refused_now, *refused_then), format!("{refused_then} with {file} ({difference})"));
    format!("refused in all: {refused_now} now, {then}")
}

fn values(values: &[LimitValueForecast]) -> Table {
    let mut table = Table::new(&["WHO WOULD BE REFUSED", "RULE", "REQUESTS", "NOW", "THEN"]);
    for value in values {
        table.row([
            Cell::new(PLAIN, visible(&value.value)),
            Cell::new(FAINT, format!("{}/{}", value.policy, value.rule)),
            value.requests.into(),
            value.refused_now.into(),
            Cell::new(compared(value.refused_now, value.refused_then), value.refused_then),
        ]);
    }
    table
}

fn not_forecast(left_out: &[LimitNotForecast]) -> Table {
    let mut table = Table::new(&["NOT FORECAST", "WHY"]);
    for LimitNotForecast { what, why } in left_out {
        table.row([Cell::new(ATTENTION, what), Cell::new(PLAIN, why)]);
    }
    table
}

fn compared(now: u64, then: u64) -> Style {
    match then.cmp(&now) {
        std::cmp::Ordering::Less => GOOD,
        std::cmp::Ordering::Equal => PLAIN,
        std::cmp::Ordering::Greater => BAD,
    }
}

fn number(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

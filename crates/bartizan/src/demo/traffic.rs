//! The traffic of the demonstration: ordinary and hostile requests in turn, each reported as it is answered.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    credentials::Credentials,
    exchange::{Answer, exchange},
    scenario::{self, Scenario},
};
use crate::output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, line, print, styled};

/// How often a request is sent, so that the report can be read while it grows.
const PACE: Duration = Duration::from_millis(25);

const HEAD: [&str; 6] = ["SENT", "METHOD", "PATH", "STATUS", "DECISION", "REQUEST ID"];
const WIDTHS: [usize; 6] = [34, 7, 38, 6, 28, 36];

/// What came of the traffic.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    requests: usize,
    served: usize,
    refused: BTreeMap<String, usize>,
    unexpected: usize,
    last_refusal: Option<String>,
}

/// Sends `count` requests to `gateway` and reports every one of them.
pub(crate) async fn send(gateway: SocketAddr, credentials: &Credentials, count: usize) -> Result<Summary> {
    for _ in 0..scenario::GUESSES {
        let guess = scenario::guess();
        exchange(gateway, guess.source, &guess.bytes).await?;
    }
    let (ordinary, hostile) = (scenario::ordinary(credentials), scenario::hostile(credentials));
    let sequence =
        ordinary.iter().cycle().zip(hostile.iter().cycle()).flat_map(|(first, second)| [first, second]);
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut summary = Summary::default();
    print(line(&HEAD.map(|title| Cell::new(FAINT, title)), &WIDTHS))?;
    for scenario in sequence.take(count) {
        pace.tick().await;
        let answer = match exchange(gateway, scenario.source, &scenario.bytes).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, scenario = scenario.title, "no answer");
                Answer::default()
            }
        };
        print(row(scenario, &answer))?;
        summary.add(scenario, answer);
    }
    Ok(summary)
}

fn row(scenario: &Scenario, answer: &Answer) -> String {
    let expected = scenario.expects(answer);
    let decision =
        answer.code.as_deref().unwrap_or(if answer.status.is_some() { "served" } else { "no answer" });
    let style = match (expected, &answer.code) {
        (false, _) => ATTENTION,
        (true, None) => GOOD,
        (true, Some(_)) => BAD,
    };
    let cells = [
        Cell::new(PLAIN, scenario.title),
        Cell::new(PLAIN, scenario.method),
        Cell::new(PLAIN, scenario.path),
        Cell::new(style, answer.status.map_or_else(|| "-".into(), |status| status.to_string())),
        Cell::new(style, if expected { decision.into() } else { format!("{decision} (not expected)") }),
        Cell::new(FAINT, answer.request_id.as_deref().unwrap_or("-")),
    ];
    line(&cells, &WIDTHS)
}

impl Scenario {
    fn expects(&self, answer: &Answer) -> bool {
        answer.status == Some(self.status) && answer.code.as_deref() == self.code
    }
}

impl Summary {
    fn add(&mut self, scenario: &Scenario, answer: Answer) {
        self.requests += 1;
        self.unexpected += usize::from(!scenario.expects(&answer));
        match answer.code {
            Some(code) => {
                *self.refused.entry(code).or_default() += 1;
                self.last_refusal = answer.request_id.or(self.last_refusal.take());
            }
            None => self.served += usize::from(answer.status.is_some()),
        }
    }

    /// How many answers differ from what the gateway is to do.
    pub(crate) fn unexpected(&self) -> usize {
        self.unexpected
    }

    /// The request id of a refusal that can be explained.
    pub(crate) fn last_refusal(&self) -> Option<&str> {
        self.last_refusal.as_deref()
    }

    /// What happened, in a few lines.
    pub(crate) fn report(&self) -> String {
        let refused: usize = self.refused.values().sum();
        let mut table = Table::default();
        table.row([Cell::new(GOOD, "served"), self.served.into()]);
        table.row([Cell::new(BAD, "refused"), refused.into()]);
        for (code, count) in &self.refused {
            table.row([Cell::new(FAINT, format!("  {code}")), count.into()]);
        }
        let verdict = match self.unexpected {
            0 => styled(GOOD, "all decided as they should be"),
            count => styled(ATTENTION, format!("{count} decided otherwise than they should be")),
        };
        format!("{} {verdict}\n\n{table}", styled(TITLE, format!("{} requests,", self.requests)))
    }
}

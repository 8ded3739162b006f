//! What other policies would have said of the requests that are remembered.

use std::sync::Arc;

use bartizan_config::{Config, Route};
use bartizan_model::RequestId;
use bartizan_policy::{Judgement, Policies, PoliciesError, RequestFacts, RoutePolicies};
use http::Method;

use crate::{NormalPath, Outcome, Record, Stage, records::MAX_PATH};

/// The most requests that are named.
const MOST_NAMED: usize = 100;

/// What other policies would have said.
#[derive(Debug)]
pub struct DryRun {
    /// The requests that both were asked about.
    pub requests: u64,
    /// Remembered requests that reached the policies but could not be asked about again: their route has changed, or
    /// their path was too long to be remembered whole.
    pub left_out: u64,
    /// Of the requests, those that the policies in use permit.
    pub permitted_now: u64,
    /// Those that the other policies permit.
    pub permitted_then: u64,
    /// How many are judged differently.
    pub differences: u64,
    /// The latest of those, at most 100.
    pub changed: Vec<JudgedDifferently>,
}

/// A request that the other policies judge differently.
#[derive(Debug)]
pub struct JudgedDifferently {
    /// Its id.
    pub id: RequestId,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: Box<str>,
    /// What the policies in use say; `None`: there are none, so it is permitted.
    pub now: Option<Judgement>,
    /// What the others say.
    pub then: Judgement,
}

/// Asks `proposed` about every request of `records` that permissions had let through, and the policies `in_use`, too,
/// both as of `config`. Changes nothing and counts nothing.
pub fn dry_run(
    records: &[Arc<Record>],
    config: &Config,
    in_use: Option<&Arc<Policies>>,
    proposed: &Arc<Policies>,
) -> Result<DryRun, PoliciesError> {
    let now = in_use.map(|policies| sides(policies, config)).transpose()?;
    let then = sides(proposed, config)?;
    let mut run = DryRun {
        requests: 0,
        left_out: 0,
        permitted_now: 0,
        permitted_then: 0,
        differences: 0,
        changed: Vec::new(),
    };
    for record in records {
        let Some((record, route)) = asked(record) else { continue };
        let place = config.routes.iter().position(|known| is_same(known, route));
        let whole = record.path.len() < MAX_PATH;
        let (Some(place), true) = (place, whole) else {
            run.left_out += 1;
            continue;
        };
        let Some(Some(then)) = then.get(place) else { continue };
        let now = now.as_ref().and_then(|now| now.get(place)?.as_ref());
        let (Ok(now), Ok(Some(then))) = (judge(record, now), judge(record, Some(then))) else {
            run.left_out += 1;
            continue;
        };
        run.add(record, now, then);
    }
    Ok(run)
}

impl DryRun {
    fn add(&mut self, record: &Record, now: Option<Judgement>, then: Judgement) {
        let permitted_now = now.as_ref().is_none_or(|now| now.ruling.permits());
        self.requests += 1;
        self.permitted_now += u64::from(permitted_now);
        self.permitted_then += u64::from(then.ruling.permits());
        if permitted_now == then.ruling.permits() {
            return;
        }
        self.differences += 1;
        if self.changed.len() < MOST_NAMED {
            let Record { id, method, path, .. } = record;
            let (id, method, path) = (id.clone(), method.clone(), path.clone());
            self.changed.push(JudgedDifferently { id, method, path, now, then });
        }
    }
}

fn sides(policies: &Arc<Policies>, config: &Config) -> Result<Vec<Option<RoutePolicies>>, PoliciesError> {
    config.routes.iter().map(|route| policies.of_route(route)).collect()
}

/// The request and its route, if permissions had let it through.
fn asked(record: &Arc<Record>) -> Option<(&Record, &Route)> {
    let route = record.route.as_ref()?;
    let authorized = record.trace.steps().iter().find(|step| step.stage == Stage::Authorize)?;
    let passed = authorized.outcome == Outcome::Passed || record.judged.is_some();
    (passed && record.identified.is_some()).then_some((record, &route.config))
}

/// Whether a route of another configuration is this one.
fn is_same(one: &Route, other: &Route) -> bool {
    one.path == other.path && one.hosts == other.hosts && one.methods == other.methods
}

/// The request is not remembered well enough.
struct Forgotten;

/// What the policies say, if there are some.
fn judge(record: &Record, policies: Option<&RoutePolicies>) -> Result<Option<Judgement>, Forgotten> {
    let identified = record.identified.as_ref().ok_or(Forgotten)?;
    let Some(policies) = policies else { return Ok(None) };
    let path = NormalPath::of(&record.path).map_err(|_| Forgotten)?;
    let facts = RequestFacts {
        method: &record.method,
        path: path.matched(&record.path),
        address: record.client,
        secure: record.secure,
        multi_factor: identified.principal.multi_factor,
        moved: record.moved,
        arrived: record.arrived,
    };
    Ok(Some(policies.judge(&identified.caller, &facts)))
}

//! The Core Rule Set on the same requests, in this process and in nginx: which rules match, and the score.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};

use super::{
    explained::{self, Seen, Side},
    peer::{Peer, Verdict},
    random::Random,
    requests::Requests,
    tally::Tally,
    values::Values,
};
use crate::{engine::Engine, wire};

/// So many requests are sent before the log is read.
const BATCH: usize = 5_000;

pub(crate) fn compare(
    folder: &Path,
    crs: &Path,
    requests: &Requests,
    values: &Values,
    count: usize,
    random: &mut Random,
) -> Result<Tally> {
    let engine = Engine::load_with(crs, include_str!("differential.conf"))?;
    let peer = Peer::start(folder, &rules(crs))?;
    let mut tally = Tally::of("requests");
    let mut sent = 0;
    while sent < count {
        let mut batch = Vec::new();
        for _ in 0..BATCH.min(count - sent) {
            sent += 1;
            let request = requests.one(values, random);
            match (wire::parse(&request).is_ok(), peer.ask(&request)?) {
                (true, Some(connection)) => batch.push((request, connection)),
                (_, None) => tally.left_out("nginx refuses it by itself"),
                (false, _) => tally.left_out("what reads requests here refuses it"),
            }
        }
        let mut verdicts = peer.verdicts()?;
        for (request, connection) in batch {
            let theirs = verdicts.remove(&connection).context("nginx's log does not have a request")?;
            compare_one(&request, &verdict(&engine, &request), &theirs, &mut tally)?;
        }
    }
    Ok(tally)
}

/// What nginx reads, in the order in which this engine reads it.
fn rules(crs: &Path) -> [PathBuf; 6] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    [
        here.join("../crates/pipeline/src/firewall/recommended.conf"),
        here.join("src/crs/engine.conf"),
        crs.join("crs-setup.conf.example"),
        here.join("src/crs/regression.conf"),
        crs.join("rules/*.conf"),
        here.join("src/crs/differential/differential.conf"),
    ]
}

fn verdict(engine: &Engine, request: &[u8]) -> Verdict {
    let mut verdict = Verdict::default();
    for entry in engine.exchange(request).log {
        verdict.add(entry.rule, &entry.text);
    }
    verdict
}

fn compare_one(request: &[u8], ours: &Verdict, theirs: &Verdict, tally: &mut Tally) -> Result<()> {
    tally.compared();
    if ours == theirs {
        return Ok(());
    }
    let parts = wire::parse(request).map_err(|wire::Refusal(reason)| anyhow!(reason))?;
    let seen = Seen { request: &parts, ours, theirs };
    let side = |is_here| if is_here { Side::Here } else { Side::There };
    let rules = ours.rules.symmetric_difference(&theirs.rules);
    let mut known: BTreeSet<_> =
        rules.map(|rule| explained::rule(*rule, side(ours.rules.contains(rule)), &seen)).collect();
    // Rules that differ bring their scores along.
    if known.is_empty() {
        known.insert(explained::score(side(ours.score > theirs.score), &seen));
    }
    match known.into_iter().collect::<Option<Vec<_>>>() {
        Some(classes) => classes.into_iter().for_each(|class| tally.explained(class)),
        None => tally.unexplained(|| difference(request, ours, theirs)),
    }
    Ok(())
}

fn difference(request: &[u8], ours: &Verdict, theirs: &Verdict) -> String {
    let only =
        |one: &Verdict, other: &Verdict| one.rules.difference(&other.rules).copied().collect::<Vec<_>>();
    format!(
        "only here {:?}, only there {:?}, score {:?} here and {:?} there: {}",
        only(ours, theirs),
        only(theirs, ours),
        ours.score,
        theirs.score,
        request.escape_ascii()
    )
}

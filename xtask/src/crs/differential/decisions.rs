//! The Core Rule Set, refusing, at every paranoia level, on the requests that this project counts as ordinary and as
//! attacks: in this process, and in nginx.
//!
//! An ordinary request that only this engine refuses is an error, and so is an attack that only this engine lets pass. An
//! attack that only this engine refuses is counted. From level 3 on rules look there at bodies that are not shown to them here
//! (`decisions/reference.md`), so what only is refused there is counted, too.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{peer::Peer, tally::Tally};
use crate::{engine::Engine, socket, wire};

/// What only this engine refuses of the attacks.
const STRICTER: &str = "an attack that only is refused here";

/// What only the reference refuses of the attacks, at the higher levels.
const LAXER: &str = "an attack that only is refused there, at level 3 or 4";

const LEVELS: [u8; 4] = [1, 2, 3, 4];
/// The level from which on the reference shows rules bodies once more.
const BODIES_AGAIN: u8 = 3;

type Headers = BTreeMap<String, String>;

/// `ordinary.yaml` or `attacks.yaml`: requests, and the clients that send them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    /// Headers of browsers and programs, by name.
    clients: BTreeMap<String, Headers>,
    requests: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    name: String,
    /// The kind of attack; ordinary requests have none.
    #[serde(default, rename = "class")]
    _class: String,
    client: String,
    method: String,
    target: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    body: String,
}

/// Whether requests of a corpus are attacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Attack,
}

/// What an engine says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Passed,
    /// With this status.
    Refused(u16),
}

/// What came of the comparison.
pub(crate) struct Decisions {
    pub(crate) tally: Tally,
    /// For ordinary requests and for attacks, by level.
    refused: [[Refused; LEVELS.len()]; 2],
}

/// How many of how many requests were refused by rules.
#[derive(Clone, Copy, Default)]
struct Refused {
    of: usize,
    here: usize,
    there: usize,
}

/// Shows both engines every request of both corpora in `corpora`.
pub(crate) fn compare(folder: &Path, crs: &Path, corpora: &Path) -> Result<Decisions> {
    let corpora = [(Kind::Ordinary, "ordinary.yaml"), (Kind::Attack, "attacks.yaml")]
        .map(|(kind, name)| Ok::<_, anyhow::Error>((kind, Corpus::read(&corpora.join(name))?)));
    let corpora = corpora.into_iter().collect::<Result<Vec<_>>>()?;
    let mut decisions = Decisions { tally: Tally::of("decisions"), refused: Default::default() };
    for (number, level) in LEVELS.into_iter().enumerate() {
        let before = format!(
            "SecAction \"id:12,phase:1,pass,nolog,\\\n  setvar:tx.blocking_paranoia_level={level},\\\n  \
             setvar:tx.detection_paranoia_level={level}\"\n"
        );
        let folder = folder.join(format!("decisions-{level}"));
        fs::create_dir_all(&folder)?;
        let file = folder.join("level.conf");
        fs::write(&file, &before)?;
        let engine = Engine::refusing(crs, &before)?;
        let peer = Peer::start(&folder, &rules(crs, file))?;
        for (kind, corpus) in &corpora {
            let refused = &mut decisions.refused[*kind as usize][number];
            compare_all(*kind, level, corpus, &engine, &peer, refused, &mut decisions.tally)?;
        }
    }
    Ok(decisions)
}

fn compare_all(
    kind: Kind,
    level: u8,
    corpus: &Corpus,
    engine: &Engine,
    peer: &Peer,
    refused: &mut Refused,
    tally: &mut Tally,
) -> Result<()> {
    for sample in &corpus.requests {
        let request = corpus.bytes(sample)?;
        match (wire::parse(&request).is_ok(), socket::ask(peer.address(), &request)?) {
            (true, Some(answer)) => {
                let (ours, theirs) =
                    (decision(engine.exchange(&request).status), decision(Some(answer.status)));
                refused.add(ours, theirs);
                compare_one(kind, level, &sample.name, ours, theirs, tally);
            }
            (_, None) => tally.left_out("nginx does not answer it"),
            (false, _) => tally.left_out("what reads requests here refuses it"),
        }
    }
    Ok(())
}

impl Refused {
    /// What nginx refuses by itself, no rule has.
    fn add(&mut self, ours: Decision, theirs: Decision) {
        self.of += 1;
        self.here += usize::from(ours != Decision::Passed);
        self.there += usize::from(!matches!(theirs, Decision::Passed | Decision::Refused(400)));
    }
}

impl fmt::Display for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tally)?;
        for (what, levels) in ["ordinary requests", "attacks"].iter().zip(&self.refused) {
            let of = levels.first().map_or(0, |first| first.of);
            let counts = |side: fn(&Refused) -> usize| levels.each_ref().map(side);
            let (here, there) = (counts(|refused| refused.here), counts(|refused| refused.there));
            writeln!(f, "  of {of} {what} are refused, by level: {here:?} here, {there:?} there")?;
        }
        Ok(())
    }
}

fn decision(status: Option<u16>) -> Decision {
    match status {
        Some(200) => Decision::Passed,
        refused => Decision::Refused(refused.unwrap_or_default()),
    }
}

fn compare_one(kind: Kind, level: u8, name: &str, ours: Decision, theirs: Decision, tally: &mut Tally) {
    tally.compared();
    match (kind, ours, theirs) {
        (_, Decision::Passed, Decision::Passed)
        | (_, Decision::Refused(_), Decision::Refused(_))
        | (Kind::Ordinary, Decision::Passed, Decision::Refused(_)) => {}
        // nginx refuses some requests by itself, which no rule there sees.
        (Kind::Attack, Decision::Passed, Decision::Refused(400)) => {
            tally.left_out("an attack that nginx may refuse by itself");
        }
        (Kind::Attack, Decision::Refused(_), Decision::Passed) => tally.explained(STRICTER),
        (Kind::Attack, Decision::Passed, Decision::Refused(_)) if level >= BODIES_AGAIN => {
            tally.explained(LAXER);
        }
        (Kind::Ordinary, Decision::Refused(_), Decision::Passed)
        | (Kind::Attack, Decision::Passed, Decision::Refused(_)) => {
            tally.unexplained(|| format!("{ours:?} here and {theirs:?} there, at level {level}: {name}"));
        }
    }
}

/// What nginx reads, in the order in which this engine reads it.
fn rules(crs: &Path, level: PathBuf) -> [PathBuf; 4] {
    let recommended =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pipeline/src/firewall/recommended.conf");
    [recommended, level, crs.join("crs-setup.conf.example"), crs.join("rules/*.conf")]
}

impl Corpus {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("`{}`", path.display()))
    }

    /// A request as it goes over the wire: a form of several parts ends its lines as RFC 7578 wants it.
    fn bytes(&self, sample: &Sample) -> Result<Vec<u8>> {
        let client = self.clients.get(&sample.client);
        let mut headers =
            client.with_context(|| format!("no client `{}` for `{}`", sample.client, sample.name))?.clone();
        headers.extend(sample.headers.clone());
        let multipart = headers.get("Content-Type").is_some_and(|value| value.starts_with("multipart/"));
        let body = if multipart { sample.body.replace('\n', "\r\n") } else { sample.body.clone() };
        headers.entry("Host".to_owned()).or_insert_with(|| "shop.example.com".to_owned());
        if !body.is_empty() {
            headers.insert("Content-Length".to_owned(), body.len().to_string());
        }
        let mut request = format!("{} {} HTTP/1.1\r\n", sample.method, sample.target);
        for (name, value) in &headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.extend(["\r\n", &body]);
        Ok(request.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stricter_to_clients_or_laxer_to_attackers_is_an_error() {
        let refused = Decision::Refused(403);
        let passed = Decision::Passed;
        for (kind, level, ours, theirs, errors) in [
            (Kind::Ordinary, 1, passed, passed, 0),
            (Kind::Ordinary, 1, refused, refused, 0),
            (Kind::Ordinary, 1, passed, refused, 0),
            (Kind::Ordinary, 1, refused, passed, 1),
            (Kind::Ordinary, 4, refused, passed, 1),
            (Kind::Ordinary, 1, Decision::Refused(0), passed, 1),
            (Kind::Attack, 1, refused, passed, 0),
            (Kind::Attack, 2, passed, refused, 1),
            (Kind::Attack, 3, passed, refused, 0),
            (Kind::Attack, 1, passed, Decision::Refused(400), 0),
        ] {
            let mut tally = Tally::of("decisions");
            compare_one(kind, level, "a", ours, theirs, &mut tally);
            assert_eq!(tally.unexplained_so_far(), errors, "{ours:?} {theirs:?} {level}");
        }
    }

    #[test]
    fn every_request_of_the_corpora_can_be_sent() {
        for name in ["ordinary.yaml", "attacks.yaml"] {
            let corpus = Corpus::read(&super::super::starter_rules().join("corpus").join(name)).unwrap();
            for sample in &corpus.requests {
                let bytes = corpus.bytes(sample).unwrap();
                let request = wire::parse(&bytes);
                assert!(
                    request.is_ok_and(|request| request.body.is_empty() == sample.body.is_empty()),
                    "{}",
                    sample.name
                );
            }
        }
    }
}

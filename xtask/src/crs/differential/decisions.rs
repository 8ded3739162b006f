//! The Core Rule Set at paranoia level 1, refusing, on the requests that this project counts as ordinary and as attacks: in
//! this process, and in nginx.
//!
//! An ordinary request that only this engine refuses is an error, and so is an attack that only this engine lets pass. An
//! attack that only this engine refuses is counted.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{peer::Peer, tally::Tally};
use crate::{engine::Engine, socket, wire};

/// What only this engine refuses of the attacks.
const STRICTER: &str = "an attack that only is refused here";

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

/// Shows both engines every request of both corpora in `corpora`.
pub(crate) fn compare(folder: &Path, crs: &Path, corpora: &Path) -> Result<Tally> {
    let engine = Engine::refusing(crs)?;
    let folder = folder.join("decisions");
    fs::create_dir_all(&folder)?;
    let peer = Peer::start(&folder, &rules(crs))?;
    let mut tally = Tally::of("decisions at paranoia level 1");
    for (kind, name) in [(Kind::Ordinary, "ordinary.yaml"), (Kind::Attack, "attacks.yaml")] {
        let corpus = Corpus::read(&corpora.join(name))?;
        for sample in &corpus.requests {
            let request = corpus.bytes(sample)?;
            match (wire::parse(&request).is_ok(), socket::ask(peer.address(), &request)?) {
                (true, Some(answer)) => {
                    let (ours, theirs) =
                        (decision(engine.exchange(&request).status), decision(Some(answer.status)));
                    compare_one(kind, &sample.name, ours, theirs, &mut tally);
                }
                (_, None) => tally.left_out("nginx does not answer it"),
                (false, _) => tally.left_out("what reads requests here refuses it"),
            }
        }
    }
    Ok(tally)
}

fn decision(status: Option<u16>) -> Decision {
    match status {
        Some(200) => Decision::Passed,
        refused => Decision::Refused(refused.unwrap_or_default()),
    }
}

fn compare_one(kind: Kind, name: &str, ours: Decision, theirs: Decision, tally: &mut Tally) {
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
        (Kind::Ordinary, Decision::Refused(_), Decision::Passed)
        | (Kind::Attack, Decision::Passed, Decision::Refused(_)) => {
            tally.unexplained(|| format!("{ours:?} here and {theirs:?} there: {name}"));
        }
    }
}

/// What nginx reads, in the order in which this engine reads it.
fn rules(crs: &Path) -> [PathBuf; 3] {
    let recommended =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pipeline/src/firewall/recommended.conf");
    [recommended, crs.join("crs-setup.conf.example"), crs.join("rules/*.conf")]
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
        for (kind, ours, theirs, errors) in [
            (Kind::Ordinary, passed, passed, 0),
            (Kind::Ordinary, refused, refused, 0),
            (Kind::Ordinary, passed, refused, 0),
            (Kind::Ordinary, refused, passed, 1),
            (Kind::Ordinary, Decision::Refused(0), passed, 1),
            (Kind::Attack, refused, passed, 0),
            (Kind::Attack, passed, refused, 1),
            (Kind::Attack, passed, Decision::Refused(400), 0),
        ] {
            let mut tally = Tally::of("decisions");
            compare_one(kind, "a", ours, theirs, &mut tally);
            assert_eq!(tally.unexplained_so_far(), errors, "{ours:?} {theirs:?}");
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

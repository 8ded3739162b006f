//! The files `ordinary.yaml` and `attacks.yaml`: requests, and the clients that send them.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::request::{Headers, Request};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Corpus {
    /// Headers of browsers and programs, by name.
    clients: BTreeMap<String, Headers>,
    pub(crate) requests: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    pub(crate) name: String,
    /// The kind of attack; ordinary requests have none.
    #[serde(default)]
    pub(crate) class: String,
    client: String,
    method: String,
    pub(crate) target: String,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    body: String,
}

impl Corpus {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn request(&self, sample: &Sample) -> Request {
        let client =
            self.clients.get(&sample.client).unwrap_or_else(|| panic!("no client `{}`", sample.client));
        let mut headers = client.clone();
        headers.extend(sample.headers.clone());
        Request::of(&sample.method, &sample.target, headers, &sample.body)
    }
}

//! The way from a command to a running gateway: its admin API, found through the state directory unless it is
//! named, and opened with the token that only its operator can read.

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use bartizan_control::{AdminToken, Problem};
use clap::Args;
use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    output::printable,
    state::{Running, StateDirectory},
};

/// How long the admin API may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stream may last: longer than the admin API lets a connection live.
const STREAM: Duration = Duration::from_hours(1);
/// The longest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Which gateway a command talks to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which gateway")]
pub(crate) struct AdminOptions {
    /// Its admin API. Without it, the gateway that runs with the state directory.
    ///
    /// Over `https:` its certificate is verified; `SSL_CERT_FILE` names an authority that the system does not know.
    #[arg(long, value_name = "URL", env = "BARTIZAN_ADMIN")]
    admin: Option<Url>,
    /// A file that holds its admin token. Without it `$BARTIZAN_TOKEN`, then the state directory's.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Its state directory. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// The same for a command where `--admin` says something else.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which gateway")]
pub(crate) struct RenamedAdminOptions {
    /// Its admin API. Without it, the gateway that runs with the state directory.
    #[arg(long, value_name = "URL", env = "BARTIZAN_ADMIN")]
    admin_api: Option<Url>,
    /// A file that holds its admin token. Without it `$BARTIZAN_TOKEN`, then the state directory's.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Its state directory. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl From<RenamedAdminOptions> for AdminOptions {
    fn from(renamed: RenamedAdminOptions) -> Self {
        let RenamedAdminOptions { admin_api: admin, token_file, state_dir } = renamed;
        Self { admin, token_file, state_dir }
    }
}

/// A client of one admin API.
#[derive(Debug)]
pub(crate) struct AdminClient {
    client: Client,
    base: Url,
}

impl AdminOptions {
    /// Finds the gateway. Does not connect yet.
    pub(crate) fn client(&self) -> Result<AdminClient> {
        let state = StateDirectory::locate(self.state_dir.clone());
        let base = match &self.admin {
            Some(url) => url.clone(),
            None => local(state.as_ref().map_err(|error| anyhow!("{error}"))?)?,
        };
        let authorization = self.authorization(state)?;
        AdminClient::new(base, authorization)
    }

    fn authorization(&self, state: Result<StateDirectory>) -> Result<HeaderValue> {
        if let Some(path) = &self.token_file {
            return Ok(AdminToken::read(path)?.authorization());
        }
        if let Some(token) = env::var_os("BARTIZAN_TOKEN").filter(|token| !token.is_empty()) {
            let text = token.to_str().map(|token| format!("Bearer {}", token.trim())).unwrap_or_default();
            let mut value =
                HeaderValue::from_str(&text).map_err(|_| anyhow!("`BARTIZAN_TOKEN` holds no token"))?;
            value.set_sensitive(true);
            return Ok(value);
        }
        let path = state?.admin_token_path();
        Ok(AdminToken::read(&path)
            .context("no admin token: give `--token-file FILE` or set `BARTIZAN_TOKEN`")?
            .authorization())
    }
}

/// The admin API of the gateway that runs with this state directory.
fn local(state: &StateDirectory) -> Result<Url> {
    let directory = state.path().display();
    let running = state.running()?.with_context(|| {
        format!(
            "no gateway is running with the state directory `{directory}`: start one with `bartizan run`, or name \
             its admin API with `--admin URL` or its state directory with `--state-dir DIR`"
        )
    })?;
    if !running.is_alive() {
        let Running { pid, .. } = running;
        bail!("the gateway that used `{directory}` (process {pid}) has ended: start one with `bartizan run`");
    }
    if running.admin_tls {
        let Running { admin, .. } = running;
        bail!(
            "the admin API on {admin} speaks TLS: name it as its certificate does, with `--admin https://NAME:PORT`"
        );
    }
    Url::parse(&format!("http://{}", running.admin)).context("the state directory names no admin API")
}

impl AdminClient {
    fn new(base: Url, authorization: HeaderValue) -> Result<Self> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        let client = Client::builder()
            .default_headers(headers)
            // The audit trail tells what an operator came with.
            .user_agent(concat!("bartizan/", env!("CARGO_PKG_VERSION")))
            // The token goes to the admin API and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("cannot prepare to ask the admin API")?;
        Ok(Self { client, base })
    }

    /// `GET path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T> {
        self.ask(self.client.get(self.url(path, query)?)).await
    }

    /// `GET path`, for what comes bit by bit. `last` is the id of the last message that was seen.
    pub(crate) async fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<Response> {
        let mut request = self.client.get(self.url(path, query)?).timeout(STREAM);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read(response).await?;
        Err(self.refused(status, serde_json::from_slice(&body).ok()))
    }

    /// `POST path`, without a body.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(self.client.post(self.url(path, &[])?)).await
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.ask(self.client.post(self.url(path, &[])?).json(body)).await
    }

    /// `DELETE path`.
    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        self.ask(self.client.delete(self.url(path, query)?)).await
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> Result<Url> {
        let mut url = self.base.join(path).with_context(|| format!("`{}` is not an admin API", self.base))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body =
            read(response).await.with_context(|| format!("the admin API at {} broke off", self.base))?;
        if status.is_success() {
            // What has no answer (204) reads as nothing.
            let body = if body.is_empty() { b"null".to_vec() } else { body };
            return serde_json::from_slice(&body).with_context(|| {
                format!("what answers at {} is not the admin API of this version", self.base)
            });
        }
        Err(self.refused(status, serde_json::from_slice(&body).ok()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let cause = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
        let mut source: &dyn std::error::Error = error;
        while let Some(next) = source.source() {
            source = next;
        }
        anyhow!("the admin API at {} {cause}: {source}: is the gateway running there?", self.base)
    }

    fn refused(&self, status: StatusCode, problem: Option<Problem>) -> anyhow::Error {
        let base = &self.base;
        match (status, problem) {
            (StatusCode::UNAUTHORIZED, _) => anyhow!(
                "the admin API at {base} does not accept the token: give the one of that gateway with `--token-file \
                 FILE` or `BARTIZAN_TOKEN`"
            ),
            (_, Some(problem)) => Refused { problem }.into(),
            (status, None) => anyhow!("the admin API at {base} answered {status}"),
        }
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut url = "http://admin".parse::<Url>();
    if let Ok(url) = &mut url
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.push(text);
    }
    url.map(|url| url.path().trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// The admin API understood and refused.
#[derive(Debug, thiserror::Error)]
#[error("{}", printable(&problem.detail))]
pub(crate) struct Refused {
    pub(crate) problem: Problem,
}

async fn read(mut response: Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            bail!("the answer is longer than {MAX_ANSWER} bytes");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

//! `exports:`.

use std::{collections::HashSet, num::NonZeroU32, path::PathBuf, time::Duration};

use bartizan_model::Name;

use super::files::Files;
use crate::{
    ElasticCredentials, ElasticReceiver, Export, ExportFilter, ExportReceiver, ExportSecret, ExportTls,
    FileReceiver, OtlpReceiver, PersonalFields, SplunkReceiver, SyslogReceiver,
    file::{self, Document},
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
    word::{Password, Url},
};

/// Every event is looked at for each of them.
const MOST: usize = 16;
const MOST_LISTED: usize = 64;
const BATCH: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);
const LARGEST_BATCH: u32 = 5000;
const SPOOL: u64 = 1024 * 1024 * 1024;
const LEAST_SPOOL: u64 = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(5);
const FILE_SIZE: u64 = 100 * 1024 * 1024;
const LEAST_FILE_SIZE: u64 = 64 * 1024;
const KEPT_FILES: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
const DATA_STREAM: &str = "logs-bartizan-default";
const SOURCETYPE: &str = "_json";

pub(crate) fn resolve(
    document: &Document,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Vec<Export> {
    let Some(entries) = document.exports.as_ref() else { return Vec::new() };
    if entries.0.len() > MOST {
        problems.error(entries.position, format!("there are more than {MOST} exports"));
    }
    let mut directories = HashSet::new();
    let mut exports = Vec::new();
    for (key, entry) in &entries.0 {
        let Some(name) = problems.read(key) else { continue };
        let Some(export) = export(name, key.position, entry, files, problems) else { continue };
        if let ExportReceiver::File(FileReceiver { directory, .. }) = &export.receiver
            && !directories.insert(directory.clone())
        {
            problems
                .error(key.position, format!("two exports write into `{}`", directory.display()))
                .help("give each a directory of its own");
        }
        exports.push(export);
    }
    exports
}

fn export(
    name: Name,
    position: Position,
    entry: &file::Export,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Export> {
    let receiver = receiver(position, entry, files, problems);
    let batch = problems.read_or(&entry.batch, BATCH);
    if let Some(at) = entry.batch.as_ref().filter(|_| batch.get() > LARGEST_BATCH) {
        problems.error(at.position, format!("`batch` is 1 to {LARGEST_BATCH}"));
    }
    let spool = problems.size("spool", &entry.spool, SPOOL);
    if let Some(at) = entry.spool.as_ref().filter(|_| spool < LEAST_SPOOL) {
        problems
            .error(at.position, "`spool` is less than 1MiB")
            .help("it is what a receiver that is away does not miss: write some hundred megabytes");
    }
    let timeout = problems.duration("timeout", &entry.timeout, TIMEOUT);
    if let Some(at) = entry.timeout.as_ref().filter(|_| timeout > LONGEST_TIMEOUT) {
        problems.error(at.position, "`timeout` is at most 5min");
    }
    Some(Export {
        name,
        line: position.line(),
        receiver: receiver?,
        only: filter(&entry.only, problems),
        personal: entry.personal.get().unwrap_or(PersonalFields::Keep),
        batch,
        spool,
        timeout,
    })
}

/// The one receiver of an entry.
fn receiver(
    position: Position,
    entry: &file::Export,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<ExportReceiver> {
    let file::Export { syslog, splunk, elastic, otlp, file, .. } = entry;
    let there = [syslog.is_some(), splunk.is_some(), elastic.is_some(), otlp.is_some(), file.is_some()];
    if there.into_iter().filter(|is_there| *is_there).count() != 1 {
        problems
            .error(position, "an export has exactly one receiver")
            .help("write one of `syslog`, `splunk`, `elastic`, `otlp` and `file`");
        return None;
    }
    if let Some(entry) = syslog.as_ref() {
        return self::syslog(entry, files, problems).map(ExportReceiver::Syslog);
    }
    if let Some(entry) = splunk.as_ref() {
        return self::splunk(entry, files, problems).map(ExportReceiver::Splunk);
    }
    if let Some(entry) = elastic.as_ref() {
        return self::elastic(entry, files, problems).map(ExportReceiver::Elastic);
    }
    if let Some(entry) = otlp.as_ref() {
        return self::otlp(entry, files, problems).map(ExportReceiver::Otlp);
    }
    file.as_ref().and_then(|entry| directory(entry, files, problems)).map(ExportReceiver::File)
}

fn syslog(
    entry: &At<file::SyslogExport>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<SyslogReceiver> {
    let url = problems.read(&entry.to)?;
    let tls = tls(&entry.tls, files, problems);
    if !url.tls {
        if let Some(at) = entry.tls.as_ref() {
            problems
                .error(at.position, format!("`tls` has no effect: `{}` is spoken to in clear", url.text))
                .help("write `to: \"tls://HOST\"`, or leave `tls` out");
        } else if !url.is_loopback {
            problems
                .warning(entry.to.position, "events travel in clear, and anybody can answer for the server")
                .help("let it speak TLS, and write `tls://HOST`");
        }
    }
    Some(SyslogReceiver {
        host: url.host,
        port: url.port,
        tls: url.tls.then_some(tls),
        format: entry.format.get().unwrap_or_default(),
        facility: entry.facility.get().unwrap_or_default(),
    })
}

fn splunk(
    entry: &At<file::SplunkExport>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<SplunkReceiver> {
    let token = secret("token", &entry.token, &entry.token_file, files, problems);
    if token.is_none() && entry.token.is_none() && entry.token_file.is_none() {
        problems
            .error(entry.position, "the collector wants a token")
            .help("write `token: ${SPLUNK_TOKEN}`, or `token_file: PATH`");
    }
    let tls = tls(&entry.tls, files, problems);
    let url = url(&entry.url, true, problems);
    Some(SplunkReceiver {
        url: url?,
        token: token?,
        index: problems.read_optional(&entry.index).map(|index| index.value),
        sourcetype: problems.read_or(&entry.sourcetype, SOURCETYPE.into()),
        acknowledge: problems.read_or(&entry.acknowledge, false),
        tls,
    })
}

fn elastic(
    entry: &At<file::ElasticExport>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<ElasticReceiver> {
    let api_key = secret("api_key", &entry.api_key, &entry.api_key_file, files, problems);
    let password = secret("password", &entry.password, &entry.password_file, files, problems);
    let user = problems.read_optional(&entry.user);
    let credentials = match (api_key, user, password) {
        (None, None, None) => ElasticCredentials::None,
        (Some(key), None, None) => ElasticCredentials::ApiKey(key),
        (None, Some(user), Some(password)) => ElasticCredentials::Basic { user: user.value, password },
        _ => {
            problems
                .error(entry.position, "Elasticsearch is shown an API key, or a user and their password")
                .help("write `api_key` alone, or `user` and `password`");
            return None;
        }
    };
    let data_stream = problems.read_optional(&entry.data_stream);
    if let Some(name) = data_stream.as_ref().filter(|name| !is_data_stream(&name.value)) {
        problems
            .error(name.position, format!("`{}` is no data stream", name.value))
            .help("write `TYPE-DATASET-NAMESPACE` in lower case, for example `logs-bartizan-default`");
    }
    let tls = tls(&entry.tls, files, problems);
    let url = url(&entry.url, credentials != ElasticCredentials::None, problems)?;
    let data_stream = data_stream.map_or_else(|| DATA_STREAM.into(), |name| name.value);
    Some(ElasticReceiver { url, data_stream, credentials, tls })
}

/// As far as it matters for a URL; Elasticsearch knows more rules.
fn is_data_stream(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    name.len() <= 255 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_allowed)
}

fn otlp(
    entry: &At<file::OtlpExport>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<OtlpReceiver> {
    let mut headers = Vec::new();
    for (name, value) in entry.headers.iter().flat_map(|headers| &headers.value.0) {
        let (Some(name), Some(secret)) = (problems.read(name), problems.read(value)) else { continue };
        let secret = ExportSecret(secret.0);
        if http::HeaderValue::from_str(secret.expose()).is_err() {
            problems.error(value.position, "this cannot be the value of a header");
        }
        headers.push((name, secret));
    }
    let tls = tls(&entry.tls, files, problems);
    let url = url(&entry.url, !headers.is_empty(), problems)?;
    Some(OtlpReceiver { url, headers, tls })
}

fn directory(
    entry: &At<file::FileExport>,
    files: &Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<FileReceiver> {
    let directory = problems.read(&entry.directory)?;
    let size = problems.size("size", &entry.size, FILE_SIZE);
    if let Some(at) = entry.size.as_ref().filter(|_| size < LEAST_FILE_SIZE) {
        problems.error(at.position, "`size` is less than 64KiB");
    }
    let keep = problems.read_or(&entry.keep, KEPT_FILES);
    Some(FileReceiver { directory: files.absolute(&directory), size, keep })
}

fn tls(file: &Optional<file::ExportTls>, files: &mut Files<'_>, problems: &mut Problems<'_>) -> ExportTls {
    let Some(file) = file.as_ref() else { return ExportTls::default() };
    ExportTls {
        ca: files.optional(&file.ca, problems),
        certificate: files.client_certificate(&file.cert, &file.key, problems),
    }
}

/// The base of a receiver's URL, without a slash at its end.
fn url(at: &At<Parsed<Url>>, has_secret: bool, problems: &mut Problems<'_>) -> Option<String> {
    let url = problems.read(at)?;
    if url.text.contains('?') {
        problems.error(at.position, format!("`{}`: this URL has no query", url.text));
    }
    if !url.target.tls && !url.is_loopback() {
        if has_secret {
            problems
                .error(at.position, format!("`{}`: secrets would travel in clear", url.text))
                .help("use `https:`; `http:` is for loopback addresses");
        } else {
            problems.warning(at.position, "events travel in clear").help("use `https:`");
        }
    }
    Some(url.text.trim_end_matches('/').to_owned())
}

/// A secret that is written here, or in a file.
fn secret(
    key: &str,
    inline: &Optional<Parsed<Password>>,
    file: &Optional<Parsed<PathBuf>>,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<ExportSecret> {
    let inline = problems.read_optional(inline);
    let Some(file) = problems.read_optional(file) else {
        return inline.map(|secret| ExportSecret(secret.value.0));
    };
    if inline.is_some() {
        problems.error(file.position, format!("write `{key}` or `{key}_file`, not both"));
        return None;
    }
    let path = files.key(&file, problems);
    let text = path.is_file().then(|| files.text(&path, file.position, problems)).flatten()?;
    let secret = text.trim();
    if secret.is_empty() || secret.chars().any(char::is_control) {
        problems.error(file.position, format!("`{}` holds no secret: one line is read", path.display()));
        return None;
    }
    Some(ExportSecret::new(secret))
}

fn filter(file: &Optional<file::ExportFilter>, problems: &mut Problems<'_>) -> ExportFilter {
    let Some(file) = file.as_ref() else { return ExportFilter::default() };
    let mut listed = |key: &str, list: &Optional<Vec<At<Parsed<String>>>>| {
        let Some(list) = list.as_ref() else { return Vec::new() };
        if list.is_empty() || list.len() > MOST_LISTED {
            problems
                .error(list.position, format!("`{key}` has 1 to {MOST_LISTED} entries"))
                .help("leave it out for all");
        }
        problems.read_all(list)
    };
    let types = listed("types", &file.types);
    let routes = listed("routes", &file.routes);
    let organizations = listed("organizations", &file.organizations);
    let texts = |list: Vec<At<String>>| list.into_iter().map(|at| at.value).collect();
    ExportFilter {
        severity: file.severity.get().unwrap_or_default(),
        types: types.into_iter().map(|at| (at.value, at.position.line())).collect(),
        classes: file.classes.as_ref().map(|classes| classes.value.clone()).unwrap_or_default(),
        routes: texts(routes),
        organizations: texts(organizations),
    }
}

//! The configuration file: where it is looked for, and how its problems and its routes look to a person.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use bartizan_config::{
    Authentication, Config, ConfigError, Destination, Diagnostic, Loaded, MultiFactor, Requirement,
    Requirements, Route, RulePlaces, Severity, Source,
};
use bartizan_identity::account::AccountError;
use bartizan_pipeline::Doubt;

use crate::{
    failure::Misuse,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, styled},
    state::StateDirectory,
};

/// Where a configuration is looked for when none is given.
const PLACES: [&str; 2] = ["bartizan.yaml", "/etc/bartizan/bartizan.yaml"];

/// The file that was given, or the first that is there.
pub(crate) fn find(given: Option<PathBuf>) -> Result<PathBuf> {
    given.or_else(|| PLACES.into_iter().map(PathBuf::from).find(|path| path.exists())).ok_or_else(|| {
        anyhow!(Misuse(
            "no configuration: neither `./bartizan.yaml` nor `/etc/bartizan/bartizan.yaml` is there\n\
             guard a service at once:    bartizan run --to localhost:3000\n\
             or name a configuration:    bartizan run -c FILE"
                .into()
        ))
    })
}

/// Reads the configuration at `path`; rule sets that it does not say the place of are looked for in the state directory.
pub(crate) fn load(path: &Path, state: Option<&StateDirectory>) -> Result<Loaded, ConfigError> {
    let installed = state.map(StateDirectory::rules_path);
    let places = RulePlaces { installed, ..RulePlaces::default() };
    Config::load_from(path, &Source::file(path).with_rules(places))
}

/// What is probably not meant of the configuration at `path`, which can be used.
pub(crate) fn doubts(path: &Path, doubts: Vec<Doubt>) -> impl Iterator<Item = Diagnostic> {
    doubts
        .into_iter()
        .map(|Doubt { line, message, hint }| Diagnostic::doubt_in_use(path, line, message, hint))
}

/// Why accounts cannot be used as the configuration at `path` says.
pub(crate) fn problem_of_accounts(path: &Path, config: &Config, error: &AccountError) -> Diagnostic {
    let accounts = config.accounts.as_ref().filter(|_| matches!(error, AccountError::Blocklist(_)));
    let list = accounts.and_then(|accounts| accounts.passwords.blocklist.as_deref()?.file_name()?.to_str());
    Diagnostic::in_use(path, list.or(Some("accounts")), error.to_string())
}

/// Problems as a compiler shows them.
pub(crate) fn render(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let Diagnostic { severity, file, line, column, message, hint, snippet } = diagnostic;
        let style = match severity {
            Severity::Error => BAD,
            Severity::Warning => ATTENTION,
        };
        // INVARIANT: writing to a string does not fail.
        let _ = writeln!(text, "{}{}", styled(style.bold(), severity), styled(TITLE, format!(": {message}")));
        let _ = writeln!(text, "  {} {file}:{line}:{column}", styled(FAINT, "-->"));
        if !snippet.is_empty() {
            let _ = writeln!(text, "{}", snippet.trim_end());
        }
        if let Some(hint) = hint {
            let _ = writeln!(text, "  {} {hint}", styled(GOOD, "help:"));
        }
        text.push('\n');
    }
    // Whoever prints it ends the last line.
    text.pop();
    text
}

/// How many problems there are, in words.
pub(crate) fn count(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let words = |count: usize, word: &str| match count {
        0 => None,
        1 => Some(format!("1 {word}")),
        count => Some(format!("{count} {word}s")),
    };
    let counts = [words(of(Severity::Error), "error"), words(of(Severity::Warning), "warning")];
    counts.into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

/// Every route in one line.
pub(crate) fn routes(config: &Config) -> Table {
    let mut table = Table::new(&["PATH", "METHODS", "AUTH", "REQUIRE", "LIMIT", "UPSTREAM"]);
    for route in &config.routes {
        table.row([
            Cell::new(PLAIN, match_of(route)),
            Cell::new(PLAIN, methods(route)),
            authentication(route),
            Cell::new(PLAIN, requirements(route)),
            Cell::new(PLAIN, limits(config, route)),
            Cell::new(FAINT, destination(config, route.destination)),
        ]);
    }
    table
}

/// How a path is shown: as it was given.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // INVARIANT: writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn match_of(route: &Route) -> String {
    match route.hosts.as_slice() {
        [] => route.path.as_str().into(),
        hosts => format!("{}{}", hosts.join(","), route.path.as_str()),
    }
}

fn methods(route: &Route) -> String {
    match route.methods.as_slice() {
        [] => "any".into(),
        methods => methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(","),
    }
}

fn authentication(route: &Route) -> Cell {
    match &route.authentication {
        Authentication::Public => Cell::new(ATTENTION, "none"),
        Authentication::Required(providers) => {
            let names: Vec<_> = providers.iter().map(bartizan_model::Name::as_str).collect();
            Cell::new(GOOD, names.join(" or "))
        }
    }
}

fn requirements(route: &Route) -> String {
    let mut parts = match &route.require {
        Requirements::Nothing => Vec::new(),
        Requirements::Every(requirement) => vec![words(requirement)],
        Requirements::ByMethod { methods, otherwise } => methods
            .iter()
            .map(|entry| format!("{}: {}", entry.method, words(&entry.requirement)))
            .chain(otherwise.iter().map(|requirement| format!("*: {}", words(requirement))))
            .collect(),
    };
    match route.multi_factor {
        MultiFactor::Off => {}
        MultiFactor::Required => parts.push("mfa".into()),
        MultiFactor::Within(age) => parts.push(format!("mfa within {}s", age.as_secs())),
    }
    if parts.is_empty() { "-".into() } else { parts.join("; ") }
}

fn words(requirement: &Requirement) -> String {
    let (permissions, conjunction) = match requirement {
        Requirement::All(permissions) => (permissions, " and "),
        Requirement::Any(permissions) => (permissions, " or "),
    };
    permissions.iter().map(bartizan_model::Permission::as_str).collect::<Vec<_>>().join(conjunction)
}

/// The policies that limit a route.
fn limits(config: &Config, route: &Route) -> String {
    let policies = route.limits.iter().filter_map(|index| config.limits.get(index.0));
    let names: Vec<_> = policies.map(|policy| policy.name.as_str()).collect();
    if names.is_empty() { "-".into() } else { names.join(", ") }
}

fn destination(config: &Config, destination: Destination) -> String {
    let Some(index) = destination.upstream() else { return "accounts".into() };
    let Some(upstream) = config.upstreams.get(index.0) else { return "-".into() };
    let targets: Vec<_> = upstream.targets.iter().map(ToString::to_string).collect();
    targets.join(", ")
}

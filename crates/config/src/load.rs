//! The way in: a file, a text or a bare target becomes a [`Config`] or a list of problems.

use std::{io::Read, path::Path};

use bartizan_model::Line;
use sha2::{Digest, Sha256};

use crate::{
    Config, ConfigError, Diagnostic, Severity, Source, Target,
    document::{self, MAX_BYTES},
    file::Document,
    forms::Forms,
    interpolation::{self, Variables},
    located::Position,
    problems::Problems,
    resolve,
    snippet::Lines,
    word::Url,
};

/// A configuration and what is questionable about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Problems that do not keep it from being used.
    pub warnings: Vec<Diagnostic>,
}

impl Config {
    /// Reads the document at `path`.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        Self::load_from(path, &Source::file(path))
    }

    /// Reads the document at `path`, with another folder or environment than the usual.
    pub fn load_from(path: &Path, source: &Source) -> Result<Loaded, ConfigError> {
        Self::parse(&text_of(path, source)?, source)
    }

    /// Reads the document `text`.
    pub fn parse(text: &str, source: &Source) -> Result<Loaded, ConfigError> {
        let revision = revision_of(&Sha256::digest(text).into());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        check_length(text, source)?;
        let variables = interpolation::variables(text, &source.environment);
        let mut problems = Problems::new(source.name(), text, &variables);
        let config = document::read::<Document>(text, &variables, &mut problems)
            .and_then(|document| resolve::resolve(&document, revision, source, &mut problems));
        match (config, problems.finish()) {
            (Some(config), Ok(warnings)) => Ok(Loaded { config, warnings }),
            (_, Ok(problems) | Err(problems)) => Err(ConfigError::Invalid(problems)),
        }
    }

    /// The configuration of `bartizan run --to TARGET`: everything goes to one target, nobody is asked who they
    /// are, the firewall refuses by its starter rules, and every listener is on the loopback address.
    ///
    /// A target is `3000`, `localhost:3000`, or a URL of scheme, host and port.
    pub fn for_target(target: &str) -> Result<Self, ConfigError> {
        let target = self::target(target)?;
        let text = format!(
            "version: 1\n\
             listen: {{ http: \"127.0.0.1:8080\", admin: \"127.0.0.1:9443\", metrics: \"127.0.0.1:9464\" }}\n\
             waf: starter\n\
             routes:\n  - path: /**\n    to: \"{target}\"\n    auth: none\n"
        );
        Self::parse(&text, &Source::text("")).map(|loaded| loaded.config)
    }
}

impl Diagnostic {
    /// A problem of a file that the configuration names, at the byte `offset` of its `text`.
    pub fn in_file(path: &Path, text: &str, offset: usize, severity: Severity, message: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let position = Position { line: number(line), column: number(column) };
        let Position { line, column } = position;
        let (file, snippet) = (path.display().to_string(), Lines::new(text).snippet(position));
        Self { severity, file, line, column, message, hint: None, snippet }
    }

    /// A problem that shows only when the configuration at `path` is used, placed where the document first says
    /// `subject`: a file's name, a provider's.
    pub fn in_use(path: &Path, subject: Option<&str>, message: String) -> Self {
        // The document was read a moment ago; without it the diagnostic has no snippet.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = subject.and_then(|subject| {
            let code = |line: &str| line.split(" #").next().map_or(0, str::len);
            text.lines().zip(1..).find_map(|(line, number)| {
                let start = line.get(..code(line))?.find(subject)?;
                let column = line.get(..start)?.chars().count() + 1;
                Some(Position { line: number, column: u32::try_from(column).unwrap_or(u32::MAX) })
            })
        });
        Self::at(path, &text, Severity::Error, found, message)
    }

    /// Something that is probably not meant, which showed when the configuration at `path` was put to use.
    #[must_use]
    pub fn doubt_in_use(path: &Path, line: Line, message: String, hint: Option<String>) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = line.number().map(|line| {
            let indent = text.lines().nth(line.saturating_sub(1) as usize).map_or(0, |line| {
                line.chars().take_while(|character| character.is_whitespace() || *character == '-').count()
            });
            Position { line, column: u32::try_from(indent + 1).unwrap_or(u32::MAX) }
        });
        Self { hint, ..Self::at(path, &text, Severity::Warning, found, message) }
    }

    fn at(path: &Path, text: &str, severity: Severity, found: Option<Position>, message: String) -> Self {
        let position = found.unwrap_or(Position::START);
        Self {
            severity,
            file: Source::file(path).name(),
            line: position.line,
            column: position.column,
            message,
            hint: None,
            snippet: found.map_or_else(String::new, |position| Lines::new(text).snippet(position)),
        }
    }
}

/// How a configuration is named: the first 12 hexadecimal digits of its document's SHA-256.
pub(crate) fn revision_of(digest: &[u8; 32]) -> String {
    let number = digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // The upper 48 of 64 bits.
    format!("{:012x}", number >> 16)
}

fn target(text: &str) -> Result<Target, ConfigError> {
    let url = match text {
        "" => return Err(ConfigError::Target { target: text.into(), reason: "it is empty".into() }),
        port if port.bytes().all(|byte| byte.is_ascii_digit()) => format!("http://localhost:{port}"),
        url if url.contains("://") => url.to_owned(),
        host => format!("http://{host}"),
    };
    let refuse = |reason: String| {
        let shown = if url.contains('@') { "URL with credentials" } else { text };
        ConfigError::Target { target: shown.into(), reason }
    };
    let url = Url::word(&url).map_err(&refuse)?;
    if url.path != "/" {
        return Err(refuse("a target is scheme, host and port only".into()));
    }
    Ok(url.target)
}

/// What the file at `path` holds, as far as a document may be long.
pub(crate) fn text_of(path: &Path, source: &Source) -> Result<String, ConfigError> {
    let read = || {
        let mut bytes = Vec::new();
        // One byte more than is allowed tells a document that is too long from one that just fits.
        std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| ConfigError::Read { path: path.into(), error })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        if bytes.len() > MAX_BYTES { too_long(source) } else { not_utf8(&bytes, valid, source) }
    })
}

/// Refuses a document that is too long.
pub(crate) fn check_length(text: &str, source: &Source) -> Result<(), ConfigError> {
    if text.len() > MAX_BYTES { Err(too_long(source)) } else { Ok(()) }
}

fn too_long(source: &Source) -> ConfigError {
    refuse("", Position::START, "the document is longer than 1 MiB", source)
}

fn not_utf8(bytes: &[u8], valid: usize, source: &Source) -> ConfigError {
    let text = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let (line, column) =
        (text.matches('\n').count() + 1, text.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1);
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    let position = Position { line: number(line), column: number(column) };
    refuse(&text, position, "this byte is not UTF-8", source)
}

fn refuse(text: &str, position: Position, message: &str, source: &Source) -> ConfigError {
    let variables = Variables::new();
    let mut problems = Problems::new(source.name(), text, &variables);
    problems.error(position, message);
    match problems.finish() {
        Ok(problems) | Err(problems) => ConfigError::Invalid(problems),
    }
}

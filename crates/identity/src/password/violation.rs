//! What is wrong with a password, for people and for programs.

/// A rule that a password breaks. `Display` tells its author what to do; nothing of the password is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum Violation {
    #[error("use at least {least} characters; this has {length}")]
    TooShort { length: usize, least: usize },
    #[error("use at most {most} characters; this has {length}")]
    TooLong { length: usize, most: usize },
    #[error("this password is known from a breach: choose one that nobody has used")]
    Breached,
    #[error("this is one of the most common passwords: choose another")]
    Common,
    #[error("this is little more than {}: add words that have nothing to do with it", .0.people_say())]
    Context(ContextKind),
    #[error("this is too easy to guess: {advice}")]
    Guessable { advice: String },
    #[error("add a lower-case letter")]
    NoLowerCase,
    #[error("add an upper-case letter")]
    NoUpperCase,
    #[error("add a digit")]
    NoDigit,
    #[error("add a character that is neither a letter nor a digit")]
    NoSpecial,
    #[error("do not repeat a character more than three times in a row")]
    Run,
    #[error("avoid sequences such as `1234`, `abcd` and `qwerty`, and words such as `password`")]
    Pattern,
}

/// Where a word comes from that outsiders know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextKind {
    /// The name of the product or the organisation that runs it.
    Service,
    /// User name, e-mail address, name or organisation of the person.
    Person,
}

impl ContextKind {
    fn people_say(self) -> &'static str {
        match self {
            Self::Service => "the name of this service",
            Self::Person => "your own name or address",
        }
    }
}

impl Violation {
    /// A stable name for programs and translations.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::Breached => "breached",
            Self::Common => "common",
            Self::Context(ContextKind::Service) => "contains_service",
            Self::Context(ContextKind::Person) => "contains_person",
            Self::Guessable { .. } => "guessable",
            Self::NoLowerCase => "no_lower_case",
            Self::NoUpperCase => "no_upper_case",
            Self::NoDigit => "no_digit",
            Self::NoSpecial => "no_special",
            Self::Run => "run",
            Self::Pattern => "pattern",
        }
    }
}

//! Which passwords may be chosen.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use zxcvbn::{
    Score,
    feedback::{Feedback, Suggestion, Warning},
    matching::patterns::MatchPattern,
    zxcvbn,
};

use super::{
    Blocklist, BlocklistError, ContextKind, Password, Violation,
    known::is_known,
    pattern::{SUBSTITUTIONS, has_common_pattern, has_run, plain, undo_substitution},
};

const MOST: usize = 128;
/// What must remain of a password when the words that outsiders know are taken away.
const LEAST_BESIDE_CONTEXT: usize = 8;
/// Shorter names occur inside other words.
const LEAST_CONTEXT_WORD: usize = 3;
const MOST_CONTEXT_WORDS: usize = 16;
/// Names of the service come from the configuration, some words each.
const MOST_SERVICE_WORDS: usize = 64;
const MOST_CONTEXT_CHARACTERS: usize = 64;
/// The estimate grows with the square of the length, and a password is not weaker for what follows.
const ESTIMATED_CHARACTERS: usize = 72;
const MOST_SUBSTITUTIONS: usize = 4;

/// Which set of rules applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PasswordProfile {
    /// NIST SP 800-63B-4, section 3.1.1: 15 characters alone, 8 with a second factor, up to 128, a blocklist, and
    /// nothing about kinds of characters. Guessable is what zxcvbn estimates below 3 of 4; below 2 with a second factor.
    #[default]
    Nist,
    /// The older rules, 12 to 128 characters with a lower-case letter, an upper-case letter, a digit and another
    /// character, no run of more than three, no common pattern. SP 800-63B-4 forbids such rules.
    CharacterClasses,
}

impl PasswordProfile {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nist => "nist",
            Self::CharacterClasses => "character-classes",
        }
    }

    /// Whether SP 800-63B-4 allows these rules.
    pub fn is_compliant(self) -> bool {
        self == Self::Nist
    }
}

/// What else a login asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// The password alone opens the account.
    Alone,
    /// A second factor is always asked for too.
    WithSecondFactor,
}

/// What outsiders know about the person: user name, e-mail address, name, organisation.
#[derive(Clone, Default)]
pub struct PasswordContext(Vec<String>);

impl PasswordContext {
    /// Takes each text apart into words; of an e-mail address its local part counts.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self(words(texts, MOST_CONTEXT_WORDS))
    }
}

impl fmt::Debug for PasswordContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PasswordContext({} words)", self.0.len())
    }
}

/// The rules for new passwords. They never apply to a login with an old one.
#[derive(Debug, Default)]
pub struct PasswordRules {
    profile: PasswordProfile,
    service: Vec<String>,
    blocklist: Option<Blocklist>,
}

impl PasswordRules {
    /// Rules of one profile; `service` are names that everybody knows: the product, the organisation that runs it.
    pub fn new<T: AsRef<str>>(profile: PasswordProfile, service: impl IntoIterator<Item = T>) -> Self {
        Self { profile, service: words(service, MOST_SERVICE_WORDS), blocklist: None }
    }

    /// Refuses the passwords of this list too.
    #[must_use]
    pub fn with_blocklist(self, blocklist: Blocklist) -> Self {
        Self { blocklist: Some(blocklist), ..self }
    }

    /// The profile.
    pub fn profile(&self) -> PasswordProfile {
        self.profile
    }

    /// Every rule that `password` breaks. Computes for a millisecond, for odd texts tens of them, and may read a
    /// file: in async code call [`super::PasswordHasher::check`]. An unreadable blocklist is an error, not a pass.
    pub fn check(
        &self,
        password: &Password,
        factors: Factors,
        context: &PasswordContext,
    ) -> Result<Vec<Violation>, BlocklistError> {
        let text = password.expose();
        let lower = Zeroizing::new(text.to_lowercase());
        let mut violations = self.check_length(password.length(), factors);
        if let Some(blocklist) = &self.blocklist
            && blocklist.contains(password)?
        {
            violations.push(Violation::Breached);
        }
        violations.extend(self.check_context(&lower, context));
        if self.profile == PasswordProfile::CharacterClasses {
            violations.extend(missing_classes(text));
            violations.extend(has_run(text, 3).then_some(Violation::Run));
            violations.extend(has_common_pattern(&lower).then_some(Violation::Pattern));
        }
        if is_known(&lower) {
            violations.push(Violation::Common);
            return Ok(violations);
        }
        violations.extend(self.check_guesses(text, factors, context));
        Ok(violations)
    }

    fn check_length(&self, length: usize, factors: Factors) -> Vec<Violation> {
        let least = match (self.profile, factors) {
            (PasswordProfile::Nist, Factors::Alone) => 15,
            (PasswordProfile::Nist, Factors::WithSecondFactor) => 8,
            (PasswordProfile::CharacterClasses, _) => 12,
        };
        if length < least {
            vec![Violation::TooShort { length, least }]
        } else if length > MOST {
            vec![Violation::TooLong { length, most: MOST }]
        } else {
            vec![]
        }
    }

    fn check_context(&self, lower: &str, context: &PasswordContext) -> Option<Violation> {
        let (rest, service) = without(lower, &self.service);
        let (rest, person) = without(&rest, &context.0);
        let kind = if person { ContextKind::Person } else { ContextKind::Service };
        let remaining = rest.chars().filter(|character| character.is_alphanumeric()).count();
        ((service || person) && remaining < LEAST_BESIDE_CONTEXT).then_some(Violation::Context(kind))
    }

    fn check_guesses(&self, text: &str, factors: Factors, context: &PasswordContext) -> Option<Violation> {
        let head = head(text);
        let known: Vec<&str> = self.service.iter().chain(&context.0).map(String::as_str).collect();
        let estimate = zxcvbn(&head, &known);
        let whole =
            matches!(estimate.sequence(), [only] if matches!(only.pattern, MatchPattern::Dictionary(_)));
        if whole && estimate.score() < Score::Three {
            return Some(Violation::Common);
        }
        let least = match factors {
            Factors::Alone => Score::Three,
            Factors::WithSecondFactor => Score::Two,
        };
        if self.profile == PasswordProfile::CharacterClasses || estimate.score() >= least {
            return None;
        }
        let feedback = estimate.feedback();
        let warning = feedback.and_then(Feedback::warning).as_ref().map(Warning::to_string);
        let suggestions = feedback.into_iter().flat_map(Feedback::suggestions).map(Suggestion::to_string);
        let advice = warning.into_iter().chain(suggestions).collect::<Vec<_>>().join(" ");
        let usual = || "Add another word or two. Uncommon words are better.".to_owned();
        Some(Violation::Guessable { advice: if advice.is_empty() { usual() } else { advice } })
    }
}

/// What is estimated: zxcvbn tries every reading of every substitution, and a password that is made of them
/// would keep it busy for seconds. Where many occur the symbols among them are undone; digits stay, for they may be
/// a date. The price is that rows of shifted keys are not recognised there.
fn head(text: &str) -> Zeroizing<String> {
    let head: Zeroizing<String> = Zeroizing::new(text.chars().take(ESTIMATED_CHARACTERS).collect());
    let occurring = SUBSTITUTIONS.chars().filter(|character| head.contains(*character)).count();
    if occurring <= MOST_SUBSTITUTIONS {
        return head;
    }
    let undone =
        |character: char| if character.is_ascii_digit() { character } else { undo_substitution(character) };
    Zeroizing::new(head.chars().map(undone).collect())
}

fn missing_classes(text: &str) -> impl Iterator<Item = Violation> {
    let special = |character: char| !character.is_alphanumeric();
    let classes = [
        (text.chars().any(char::is_lowercase), Violation::NoLowerCase),
        (text.chars().any(char::is_uppercase), Violation::NoUpperCase),
        (text.chars().any(char::is_numeric), Violation::NoDigit),
        (text.chars().any(special), Violation::NoSpecial),
    ];
    classes.into_iter().filter(|(present, _)| !present).map(|(_, violation)| violation)
}

/// The text without `words`, which it may spell with the usual substitutions; and whether it had any of them.
fn without(lower: &str, words: &[String]) -> (Zeroizing<String>, bool) {
    let mut rest = Zeroizing::new(lower.to_owned());
    let mut found = false;
    for word in words {
        // Substitutions replace ASCII by ASCII: what is found in the plain spelling has the same place.
        let spelled = Zeroizing::new(plain(&rest));
        for (at, piece) in spelled.rmatch_indices(plain(word).as_str()) {
            rest.replace_range(at..at + piece.len(), " ");
            found = true;
        }
    }
    (rest, found)
}

/// Lower-case words of at least three characters, the longest first, bounded in number and length.
fn words<T: AsRef<str>>(texts: impl IntoIterator<Item = T>, most: usize) -> Vec<String> {
    let mut words = Vec::new();
    for text in texts {
        let text = text.as_ref();
        let named = text.rsplit_once('@').map_or(text, |(local, _)| local);
        let lower: String = named.to_lowercase().chars().take(MOST_CONTEXT_CHARACTERS).collect();
        words.extend(lower.split(|character: char| !character.is_alphanumeric()).map(str::to_owned));
        words.push(lower);
    }
    words.retain(|word| word.chars().count() >= LEAST_CONTEXT_WORD);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words.truncate(most);
    words
}

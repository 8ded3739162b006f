//! Operators, compiled: a rule's question about one value.
//!
//! Each answers as libmodsecurity 3 does; where that is a defect (a read past the end, a phrase that can never
//! be found), the reference manual is followed instead and the operator's file says so. Nothing here knows
//! variables: where the argument has macros, the caller expands [`Operator::argument`] and passes the text.

mod bytes;
mod encoding;
mod geo;
mod injection;
mod ip;
mod matched;
mod numbers;
mod pattern;
mod phrases;
mod text;
mod varying;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use matched::{Captured, Match};
pub(crate) use numbers::{NumberComparison, saturating as number};
pub use pattern::Pattern;
pub(crate) use pattern::selector_pattern;

use crate::{
    Location, Locations,
    ast::{self, OperatorName, Template},
    byte_set::ByteSet,
    error::Problem,
    gate::Required,
};

/// The condition of a rule, ready to be asked.
#[derive(Debug)]
pub struct Operator {
    comparison: Comparison,
    negated: bool,
    argument: Argument,
}

#[derive(Debug)]
enum Comparison {
    Always,
    Never,
    Text(text::Text),
    Numbers(numbers::Numbers),
    Pattern(Pattern),
    /// As `Pattern`, for every place where it matches.
    PatternEverywhere(Pattern),
    /// As `Pattern`, where macros say which.
    PatternOfText(varying::Varying),
    /// As `PatternEverywhere`, where macros say which.
    PatternOfTextEverywhere(varying::Varying),
    Phrases(phrases::Phrases),
    Addresses(ip::Addresses),
    Bytes(Box<bytes::Allowed>),
    UrlEncoding,
    Utf8Encoding,
    SqlInjection,
    CrossSiteScripting,
    Verify(verify::Number, Pattern),
    Located(geo::Lookup),
}

#[derive(Debug)]
enum Argument {
    Literal(Vec<u8>),
    /// Differs from request to request.
    Macros(Template),
}

impl Operator {
    /// Compiles an operator; `data` holds the files that its argument names, in that order.
    pub fn compile(operator: &ast::Operator, data: &[impl AsRef<[u8]>]) -> Result<Self, Problem> {
        let argument = match operator.argument.as_literal() {
            Some(text) => Argument::Literal(text.as_bytes().to_vec()),
            None => Argument::Macros(operator.argument.clone()),
        };
        let literal = || {
            operator.argument.as_literal().ok_or_else(|| Problem::Unsupported {
                what: "macro in the argument of",
                name: operator.name.name().to_owned(),
                reason: "ModSecurity fills none in there; compare with a variable by `@streq`, `@within` or `@rx`",
            })
        };
        let varies = operator.argument.as_literal().is_none();
        let comparison = match operator.name {
            OperatorName::UnconditionalMatch => Comparison::Always,
            OperatorName::NoMatch => Comparison::Never,
            OperatorName::BeginsWith => Comparison::Text(text::Text::BeginsWith),
            OperatorName::Contains | OperatorName::StrMatch => Comparison::Text(text::Text::Contains),
            OperatorName::ContainsWord => Comparison::Text(text::Text::ContainsWord),
            OperatorName::EndsWith => Comparison::Text(text::Text::EndsWith),
            OperatorName::StrEq => Comparison::Text(text::Text::Equals),
            OperatorName::Within => Comparison::Text(text::Text::Within),
            OperatorName::Eq => Comparison::Numbers(numbers::Numbers::Equal),
            OperatorName::Ge => Comparison::Numbers(numbers::Numbers::GreaterOrEqual),
            OperatorName::Gt => Comparison::Numbers(numbers::Numbers::Greater),
            OperatorName::Le => Comparison::Numbers(numbers::Numbers::LessOrEqual),
            OperatorName::Lt => Comparison::Numbers(numbers::Numbers::Less),
            OperatorName::Rx if varies => Comparison::PatternOfText(varying::Varying::default()),
            OperatorName::RxGlobal if varies => {
                Comparison::PatternOfTextEverywhere(varying::Varying::default())
            }
            OperatorName::Rx => Comparison::Pattern(Pattern::compile(literal()?)?),
            OperatorName::RxGlobal => Comparison::PatternEverywhere(Pattern::compile(literal()?)?),
            OperatorName::Pm => Comparison::Phrases(phrases::Phrases::of_argument(literal()?)?),
            OperatorName::PmFromFile => Comparison::Phrases(phrases::Phrases::of_files(data)?),
            OperatorName::IpMatch => Comparison::Addresses(ip::Addresses::of_argument(literal()?)?),
            OperatorName::IpMatchFromFile => Comparison::Addresses(ip::Addresses::of_files(data)?),
            OperatorName::ValidateByteRange => {
                Comparison::Bytes(Box::new(bytes::Allowed::parse(literal()?)?))
            }
            OperatorName::GeoLookup => {
                return Err(Problem::Missing {
                    name: "@geoLookup".into(),
                    expected: "a database of locations, which `SecGeoLookupDb` names",
                });
            }
            OperatorName::ValidateUrlEncoding => Comparison::UrlEncoding,
            OperatorName::ValidateUtf8Encoding => Comparison::Utf8Encoding,
            OperatorName::DetectSqli => Comparison::SqlInjection,
            OperatorName::DetectXss => Comparison::CrossSiteScripting,
            OperatorName::VerifyCc => {
                Comparison::Verify(verify::Number::CreditCard, Pattern::compile(literal()?)?)
            }
            OperatorName::VerifyCpf => Comparison::Verify(verify::Number::Cpf, Pattern::compile(literal()?)?),
            OperatorName::VerifySsn => Comparison::Verify(verify::Number::Ssn, Pattern::compile(literal()?)?),
            OperatorName::VerifySvnr => {
                Comparison::Verify(verify::Number::Svnr, Pattern::compile(literal()?)?)
            }
        };
        Ok(Self { comparison, negated: operator.negated, argument })
    }

    /// `@geoLookup`, which asks this database.
    pub(crate) fn locating(locations: Arc<dyn Locations>, negated: bool) -> Self {
        let comparison = Comparison::Located(geo::Lookup(locations));
        Self { comparison, negated, argument: Argument::Literal(Vec::new()) }
    }

    /// Where the address is that this operator is asked about, if it is one that asks that; whatever it is negated to.
    pub(crate) fn locate(&self, value: &[u8]) -> Option<Location> {
        match &self.comparison {
            Comparison::Located(lookup) => lookup.locate(value),
            _ => None,
        }
    }

    /// What must be expanded before [`Self::matches`] is asked; `None` where the argument is always the same.
    pub fn argument(&self) -> Option<&Template> {
        match &self.argument {
            Argument::Macros(template) => Some(template),
            Argument::Literal(_) => None,
        }
    }

    /// What a value must have for the condition to hold.
    pub(crate) fn required(&self) -> Required {
        if self.negated {
            return Required::default();
        }
        match (&self.comparison, &self.argument) {
            (
                Comparison::Pattern(pattern)
                | Comparison::PatternEverywhere(pattern)
                | Comparison::Verify(_, pattern),
                _,
            ) => Required::of_pattern(pattern.as_str()),
            (Comparison::Phrases(phrases), _) => Required::of_literals(phrases.phrases()),
            (Comparison::Text(comparison), Argument::Literal(literal)) if comparison.holds_the_argument() => {
                Required::of_literals([literal])
            }
            (Comparison::Bytes(allowed), _) => Required::of_bytes(allowed.others()),
            (Comparison::UrlEncoding, _) => Required::of_bytes(ByteSet::of(b"%")),
            (Comparison::Utf8Encoding, _) => Required::of_bytes(ByteSet::EMPTY.with_range(0x80, u8::MAX)),
            (Comparison::CrossSiteScripting, _) => Required::of_bytes(injection::SCRIPT_NEEDS),
            (Comparison::SqlInjection, _) => {
                Required { shortest: injection::SHORTEST_SQL, ..Required::default() }
            }
            _ => Required::default(),
        }
    }

    /// The comparison of numbers that this is, if its argument is always the same.
    pub(crate) fn of_numbers(&self) -> Option<NumberComparison> {
        match (&self.comparison, &self.argument) {
            (Comparison::Numbers(comparison), Argument::Literal(right)) => Some(NumberComparison {
                comparison: *comparison,
                negated: self.negated,
                right: number(right),
            }),
            _ => None,
        }
    }

    /// Whether the condition holds where the comparison does not.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether the condition holds for `value`, and what of it says so.
    ///
    /// `argument` is the expanded argument and is looked at only where [`Self::argument`] gives one. Groups are
    /// not looked for: that is what [`Self::captures`] does, and costs.
    pub fn matches(&self, value: &[u8], argument: &[u8]) -> Option<Match> {
        self.or_negated(value, self.compare(value, argument))
    }

    /// Whether the condition holds for `value`: as [`Self::matches`], but where it matches is not sought.
    pub(crate) fn holds(&self, value: &[u8], argument: &[u8]) -> bool {
        let holds = match &self.comparison {
            Comparison::Pattern(pattern) | Comparison::PatternEverywhere(pattern) => {
                #[cfg(test)]
                crate::work::add(value.len());
                pattern.is_match(value)
            }
            _ => self.compare(value, argument).is_some(),
        };
        holds != self.negated
    }

    /// As [`Self::matches`], and with what the action `capture` keeps.
    pub fn captures(&self, value: &[u8], argument: &[u8]) -> Option<Match> {
        #[cfg(test)]
        crate::work::add(value.len());
        let found = match &self.comparison {
            Comparison::Pattern(pattern) => pattern.captures(value),
            Comparison::PatternEverywhere(pattern) => pattern.captures_everywhere(value),
            Comparison::PatternOfText(varying) => {
                varying.known(argument).pattern.as_ref().and_then(|pattern| pattern.captures(value))
            }
            Comparison::PatternOfTextEverywhere(varying) => varying
                .known(argument)
                .pattern
                .as_ref()
                .and_then(|pattern| pattern.captures_everywhere(value)),
            _ => self.compare(value, argument).map(Match::with_itself_captured),
        };
        self.or_negated(value, found)
    }

    /// Whether [`Self::captures`] leaves nothing of what was captured before, so that of several values only the last need be
    /// asked for it.
    pub(crate) fn captures_anew(&self) -> bool {
        matches!(&self.comparison, Comparison::Pattern(pattern) if !self.negated && pattern.captures_all_groups())
    }

    fn or_negated(&self, value: &[u8], found: Option<Match>) -> Option<Match> {
        match found {
            found if !self.negated => found,
            Some(_) => None,
            None => Some(Match::whole(value)),
        }
    }

    fn compare(&self, value: &[u8], argument: &[u8]) -> Option<Match> {
        #[cfg(test)]
        crate::work::add(value.len());
        let argument = match &self.argument {
            Argument::Literal(literal) => literal,
            Argument::Macros(_) => argument,
        };
        match &self.comparison {
            Comparison::Always => Some(Match::whole(value)),
            Comparison::Never => None,
            Comparison::Text(comparison) => comparison.find(value, argument).map(Match::at),
            Comparison::Numbers(comparison) => comparison.holds(value, argument).then(|| Match::whole(value)),
            Comparison::Pattern(pattern) | Comparison::PatternEverywhere(pattern) => {
                pattern.find(value).map(Match::at)
            }
            Comparison::PatternOfText(varying) | Comparison::PatternOfTextEverywhere(varying) => varying
                .known(argument)
                .pattern
                .as_ref()
                .and_then(|pattern| pattern.find(value))
                .map(Match::at),
            Comparison::Phrases(phrases) => phrases.find(value).map(Match::at),
            Comparison::Addresses(addresses) => addresses.contains(value).then(|| Match::whole(value)),
            Comparison::Bytes(allowed) => allowed.find_other(value).map(Match::at),
            Comparison::UrlEncoding => encoding::find_bad_url_encoding(value).map(Match::at),
            Comparison::Utf8Encoding => encoding::find_bad_utf8(value).map(Match::at),
            Comparison::SqlInjection => injection::sql(value),
            Comparison::CrossSiteScripting => {
                injection::cross_site_scripting(value).then(|| Match::whole(value))
            }
            Comparison::Verify(number, pattern) => number.find(value, pattern).map(Match::at),
            Comparison::Located(lookup) => lookup.locate(value).map(|_| Match::whole(value)),
        }
    }
}

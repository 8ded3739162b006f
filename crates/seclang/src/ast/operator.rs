//! How a rule compares: the operator's name and what it is given.

use super::{Template, named};

named! {
    /// An operator of the language that this engine has. `@rbl`, `@inspectFile`, `@fuzzyHash` and the like, which
    /// would reach beyond the request, are refused by the parser.
    pub enum OperatorName {
        BeginsWith = "beginsWith",
        Contains = "contains",
        ContainsWord = "containsWord",
        DetectSqli = "detectSQLi",
        DetectXss = "detectXSS",
        EndsWith = "endsWith",
        Eq = "eq",
        Ge = "ge",
        GeoLookup = "geoLookup",
        Gt = "gt",
        IpMatch = "ipMatch",
        IpMatchFromFile = "ipMatchFromFile" | "ipMatchF",
        Le = "le",
        Lt = "lt",
        NoMatch = "noMatch",
        Pm = "pm",
        PmFromFile = "pmFromFile" | "pmf",
        Rx = "rx",
        RxGlobal = "rxGlobal",
        StrEq = "streq",
        StrMatch = "strmatch",
        UnconditionalMatch = "unconditionalMatch",
        ValidateByteRange = "validateByteRange",
        ValidateUrlEncoding = "validateUrlEncoding",
        ValidateUtf8Encoding = "validateUtf8Encoding",
        VerifyCc = "verifyCC",
        VerifyCpf = "verifyCPF",
        VerifySsn = "verifySSN",
        VerifySvnr = "verifySVNR",
        Within = "within",
    }
}

impl OperatorName {
    /// Whether it compares with something that the rule gives.
    pub const fn takes_argument(self) -> bool {
        !matches!(
            self,
            Self::DetectSqli
                | Self::DetectXss
                | Self::GeoLookup
                | Self::NoMatch
                | Self::UnconditionalMatch
                | Self::ValidateUrlEncoding
                | Self::ValidateUtf8Encoding
        )
    }

    /// Whether its argument names data files, read when the rules are loaded.
    pub const fn reads_file(self) -> bool {
        matches!(self, Self::IpMatchFromFile | Self::PmFromFile)
    }
}

/// The condition of a rule: `!@rx ^[a-z]+$`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    /// Which comparison.
    pub name: OperatorName,
    /// Whether it holds where the comparison does not.
    pub negated: bool,
    /// What it is given; empty for an operator that takes nothing.
    pub argument: Template,
}

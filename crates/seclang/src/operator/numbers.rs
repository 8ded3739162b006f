//! Comparisons of numbers: `eq`, `ge`, `gt`, `le`, `lt`.
//!
//! Numbers are read as C reads them: white space, a sign, digits, and the rest is ignored; no digits are 0.
//! `eq` reads 32 bits and takes what does not fit for 0, the others read 64 bits and take the nearest that fits.

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Numbers {
    pub(super) fn holds(self, value: &[u8], argument: &[u8]) -> bool {
        self.compares(saturating(value), saturating(argument))
    }

    fn compares(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => in_32_bits(left) == in_32_bits(right),
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

/// A comparison with a number that is always the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberComparison {
    pub(super) comparison: Numbers,
    pub(super) negated: bool,
    pub(super) right: i64,
}

impl NumberComparison {
    pub(crate) fn holds(self, value: &[u8]) -> bool {
        self.comparison.compares(saturating(value), self.right) != self.negated
    }
}

fn in_32_bits(number: i64) -> i32 {
    i32::try_from(number).unwrap_or_default()
}

/// C's `atoll`.
pub(crate) fn saturating(text: &[u8]) -> i64 {
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r')).unwrap_or(text.len());
    let (_, text) = text.split_at(start);
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        unsigned => (false, unsigned.strip_prefix(b"+").unwrap_or(unsigned)),
    };
    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        let tens = number.saturating_mul(10);
        if negative { tens.saturating_sub(digit) } else { tens.saturating_add(digit) }
    })
}

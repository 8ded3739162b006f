//! Numbers of telephones (ITU-T E.164).

use std::{fmt, str::FromStr};

use super::AccountError;

/// A number with its country code, in its one form: `+` and 8 to 15 digits. `Debug` shows the last two alone.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is shown to its owner: they know which one it is, and whoever looks over their shoulder does not.
    pub(crate) fn masked(&self) -> String {
        let last = self.0.len().saturating_sub(2);
        format!("+…{}", self.0.get(last..).unwrap_or_default())
    }
}

impl FromStr for PhoneNumber {
    type Err = AccountError;

    /// Reads what people write, with spaces, dots, hyphens and parentheses.
    fn from_str(text: &str) -> Result<Self, AccountError> {
        let is_sign = |letter: char| matches!(letter, ' ' | '-' | '.' | '(' | ')');
        let number: String = text.chars().take(64).filter(|letter| !is_sign(*letter)).collect();
        let digits = number.strip_prefix('+').unwrap_or_default();
        let is_number = (8..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let refused =
            || AccountError::Invalid("a telephone number is `+`, the country code and the number".into());
        if is_number { Ok(Self(number)) } else { Err(refused()) }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PhoneNumber({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for written in ["+49 (151) 2345-6789", "+4915123456789", "+49.151.2345.6789"] {
            assert_eq!(written.parse::<PhoneNumber>().unwrap().as_str(), "+4915123456789", "{written}");
        }
        for wrong in ["", "+", "0151 23456789", "+0491512345", "+1234567", "+1234567890123456", "+49x1512345"]
        {
            assert!(wrong.parse::<PhoneNumber>().is_err(), "{wrong}");
        }
        let number: PhoneNumber = "+4915123456789".parse().unwrap();
        assert_eq!(format!("{number:?}"), "PhoneNumber(+…89)");
    }
}

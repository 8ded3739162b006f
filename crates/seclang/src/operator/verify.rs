//! `verifyCC`, `verifyCPF`, `verifySSN`, `verifySVNR`: a pattern finds candidates, check digits confirm them.

use std::ops::Range;

use super::Pattern;

/// Which number is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// A payment card: Luhn's check digit (ISO/IEC 7812-1, annex B).
    CreditCard,
    /// Brazil's Cadastro de Pessoas Físicas.
    Cpf,
    /// A Social Security Number of the United States.
    Ssn,
    /// Austria's Sozialversicherungsnummer.
    Svnr,
}

/// How many bytes candidates may have in all, for each byte of the value, before the search ends: candidates
/// overlap, and a pattern without an upper length would make their checking quadratic.
const CANDIDATE_BYTES_PER_BYTE: usize = 64;

impl Number {
    /// The first candidate that is such a number.
    pub(super) fn find(self, value: &[u8], pattern: &Pattern) -> Option<Range<usize>> {
        let mut budget = value.len().saturating_mul(CANDIDATE_BYTES_PER_BYTE);
        let mut from = 0;
        while let Some(candidate) = pattern.find_from(value, from) {
            if self.is_valid(value.get(candidate.clone()).unwrap_or_default()) {
                return Some(candidate);
            }
            budget = budget.checked_sub(candidate.len())?;
            from = candidate.start + 1;
        }
        None
    }

    fn is_valid(self, candidate: &[u8]) -> bool {
        let digits: Vec<u32> = candidate
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| u32::from(byte - b'0'))
            .collect();
        match self {
            Self::CreditCard => luhn(&digits),
            Self::Cpf => digits.get(..11).is_some_and(cpf),
            Self::Ssn => ssn(&digits),
            Self::Svnr => digits.get(..10).is_some_and(svnr),
        }
    }
}

fn luhn(digits: &[u32]) -> bool {
    let weighted = |(position, digit): (usize, &u32)| match position % 2 {
        0 => *digit,
        _ => digit * 2 % 10 + digit * 2 / 10,
    };
    !digits.is_empty() && digits.iter().rev().enumerate().map(weighted).sum::<u32>() % 10 == 0
}

fn cpf(digits: &[u32]) -> bool {
    let check = |length: u32| {
        let weights = (2..=length + 1).rev();
        match digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    !is_trivial(digits) && digits.ends_with(&[check(9), check(10)])
}

fn ssn(digits: &[u32]) -> bool {
    let Some((area, rest)) = digits.split_at_checked(3) else { return false };
    let Some((group, serial)) = rest.split_at_checked(2) else { return false };
    let area = area.iter().fold(0, |area, digit| area * 10 + digit);
    let sequential = digits.windows(2).all(|pair| matches!(pair, [left, right] if left + 1 == *right));
    let given = [group, serial].iter().all(|part| part.iter().any(|digit| *digit > 0));
    serial.len() == 4
        && !sequential
        && !is_repeated(digits)
        && given
        && (1..740).contains(&area)
        && area != 666
}

fn svnr(digits: &[u32]) -> bool {
    const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let check = if sum % 11 == 10 { 0 } else { sum % 11 };
    !is_trivial(digits) && digits.get(3) == Some(&check)
}

/// Numbers that people type to fill a field.
fn is_trivial(digits: &[u32]) -> bool {
    is_repeated(digits)
        || digits.windows(2).all(|pair| matches!(pair, [left, right] if (left + 1) % 10 == *right))
}

fn is_repeated(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [left, right] if left == right))
}

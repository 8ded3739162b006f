//! Numbers, sizes and durations that must not be zero or not too large.

use std::{fmt::Display, time::Duration};

use crate::{forms::Parsed, located::Optional, problems::Problems, word::ByteSize};

impl Problems<'_> {
    /// A duration greater than zero.
    pub(crate) fn duration(
        &mut self,
        key: &str,
        optional: &Optional<Parsed<Duration>>,
        default: Duration,
    ) -> Duration {
        let Some(duration) = self.read_optional(optional) else { return default };
        if duration.value.is_zero() {
            self.error(duration.position, format!("`{key}` must be longer than zero"));
        }
        duration.value
    }

    /// A size greater than zero.
    pub(crate) fn size(&mut self, key: &str, optional: &Optional<Parsed<ByteSize>>, default: u64) -> u64 {
        let Some(size) = self.read_optional(optional) else { return default };
        if size.value.0 == 0 {
            self.error(size.position, format!("`{key}` must be greater than zero"));
        }
        size.value.0
    }

    /// A size greater than zero that is held in memory, so not greater than `most`.
    pub(crate) fn memory(
        &mut self,
        key: &str,
        optional: &Optional<Parsed<ByteSize>>,
        most: u32,
        default: usize,
    ) -> usize {
        let size = self.size(key, optional, u64::try_from(default).unwrap_or(u64::MAX));
        if let Some(at) = optional.as_ref().filter(|_| size > u64::from(most)) {
            self.error(at.position, format!("`{key}` is more than {}KiB", most / 1024));
        }
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// A number greater than zero.
    pub(crate) fn count<T: Copy + Default + PartialEq>(
        &mut self,
        key: &str,
        optional: &Optional<Parsed<T>>,
        default: T,
    ) -> T {
        let Some(number) = self.read_optional(optional) else { return default };
        if number.value == T::default() {
            self.error(number.position, format!("`{key}` must be greater than zero"));
        }
        number.value
    }

    /// A number that may be zero, but not greater than `most`.
    pub(crate) fn at_most<T: Copy + PartialOrd + Display>(
        &mut self,
        key: &str,
        optional: &Optional<Parsed<T>>,
        most: T,
        default: T,
    ) -> T {
        let Some(number) = self.read_optional(optional) else { return default };
        if number.value > most {
            self.error(number.position, format!("`{key}` is {}, which is more than {most}", number.value));
        }
        number.value
    }
}

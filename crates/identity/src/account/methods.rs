//! By what somebody was proven.

/// By what somebody was proven, in the words of RFC 8176.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods {
    /// A password (`pwd`).
    pub password: bool,
    /// A code of an app, of a message or from paper (`otp`).
    pub one_time_code: bool,
    /// Another provider's word.
    pub provider: bool,
}

impl Methods {
    /// A password alone.
    pub const PASSWORD: Self = Self { password: true, one_time_code: false, provider: false };
    /// A code alone.
    pub const ONE_TIME_CODE: Self = Self { password: false, one_time_code: true, provider: false };
    /// Another provider's word alone.
    pub const PROVIDER: Self = Self { password: false, one_time_code: false, provider: true };

    /// Either's.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            password: self.password || other.password,
            one_time_code: self.one_time_code || other.one_time_code,
            provider: self.provider || other.provider,
        }
    }

    /// Whether they are of two kinds. What another provider has asked for counts as one.
    pub fn are_several(self) -> bool {
        (self.password || self.provider) && self.one_time_code
    }

    /// The values of `amr`, which has none for another provider's word.
    pub fn names(self) -> Vec<&'static str> {
        let named = [(self.password, "pwd"), (self.one_time_code, "otp"), (self.are_several(), "mfa")];
        named.into_iter().filter_map(|(is_used, name)| is_used.then_some(name)).collect()
    }

    /// As the store has them.
    pub(crate) fn stored(self) -> String {
        let named = [(self.password, "pwd"), (self.one_time_code, "otp"), (self.provider, "provider")];
        let used = named.into_iter().filter_map(|(is_used, name)| is_used.then_some(name));
        used.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn of_stored(text: &str) -> Self {
        let has = |name| text.split(' ').any(|word| word == name);
        Self { password: has("pwd"), one_time_code: has("otp"), provider: has("provider") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_keeps_them() {
        let both = Methods::PASSWORD.and(Methods::ONE_TIME_CODE);
        let other = Methods::PROVIDER.and(Methods::ONE_TIME_CODE);
        assert!(other.are_several() && !Methods::PROVIDER.and(Methods::PASSWORD).are_several());
        for methods in [Methods::default(), Methods::PASSWORD, Methods::ONE_TIME_CODE, both, other] {
            assert_eq!(Methods::of_stored(&methods.stored()), methods);
        }
        assert_eq!(both.names(), ["pwd", "otp", "mfa"]);
        assert!(!Methods::PASSWORD.are_several());
    }
}

//! By what somebody was proven.

/// By what somebody was proven: a set of ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

/// Each way, its name in the store, and its values of `amr` (RFC 8176, section 2), which has none for another provider's
/// word. That a key was used is all that is known of a passkey: whether hardware keeps it, nobody was asked.
const WAYS: [(Methods, &str, &[&str]); 6] = [
    (Methods::PASSWORD, "pwd", &["pwd"]),
    (Methods::ONE_TIME_CODE, "otp", &["otp"]),
    (Methods::SMS, "sms", &["sms"]),
    (Methods::PASSKEY, "passkey", &["pop", "user"]),
    (Methods::USER_VERIFICATION, "uv", &[]),
    (Methods::PROVIDER, "provider", &[]),
];

impl Methods {
    /// A password alone.
    pub const PASSWORD: Self = Self(1);
    /// A code alone: of an app, of a message, or from paper.
    pub const ONE_TIME_CODE: Self = Self(1 << 1);
    /// Another provider's word alone.
    pub const PROVIDER: Self = Self(1 << 2);
    /// A code that was sent to a telephone alone.
    pub const SMS: Self = Self(1 << 3);
    /// A passkey whose authenticator somebody touched.
    pub const PASSKEY: Self = Self(1 << 4);
    /// A passkey whose authenticator verified who holds it: what they have, and what they know or are.
    pub const VERIFIED_PASSKEY: Self = Self::PASSKEY.and(Self::USER_VERIFICATION);
    const USER_VERIFICATION: Self = Self(1 << 5);

    /// Either's.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left of them where these are the second factors that are still there. Knowing the password, and another
    /// provider's word, take none.
    pub(crate) const fn backed_by(self, factors: Self) -> Self {
        let verified = if factors.has(Self::PASSKEY) { Self::VERIFIED_PASSKEY } else { factors };
        Self(self.0 & factors.and(verified).and(Self::PASSWORD).and(Self::PROVIDER).0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether they are of two kinds. What another provider has asked for counts as one.
    pub const fn are_several(self) -> bool {
        let knows = self.has(Self::PASSWORD) || self.has(Self::PROVIDER);
        let has = self.has(Self::ONE_TIME_CODE) || self.has(Self::SMS) || self.has(Self::PASSKEY);
        (knows && has) || self.has(Self::VERIFIED_PASSKEY)
    }

    /// The values of `amr`.
    pub fn names(self) -> Vec<&'static str> {
        let named = self.used().flat_map(|(_, _, names)| names.iter().copied());
        named.chain(self.are_several().then_some("mfa")).collect()
    }

    /// As the store has them.
    pub(crate) fn stored(self) -> String {
        self.used().map(|(_, stored, _)| *stored).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn of_stored(text: &str) -> Self {
        let known = |word| WAYS.iter().find(|(_, stored, _)| *stored == word);
        text.split(' ').filter_map(known).fold(Self::default(), |all, (way, ..)| all.and(*way))
    }

    fn used(self) -> impl Iterator<Item = &'static (Self, &'static str, &'static [&'static str])> {
        WAYS.iter().filter(move |(way, ..)| self.has(*way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_keeps_them() {
        let both = Methods::PASSWORD.and(Methods::ONE_TIME_CODE);
        let other = Methods::PROVIDER.and(Methods::SMS);
        let single = [Methods::default(), Methods::PASSWORD, Methods::SMS, Methods::PASSKEY];
        for methods in single.into_iter().chain([Methods::VERIFIED_PASSKEY, both, other]) {
            assert_eq!(Methods::of_stored(&methods.stored()), methods, "{}", methods.stored());
        }
    }

    #[test]
    fn two_kinds_are_several() {
        let several = [
            Methods::PASSWORD.and(Methods::ONE_TIME_CODE),
            Methods::PASSWORD.and(Methods::PASSKEY),
            Methods::PROVIDER.and(Methods::SMS),
            Methods::VERIFIED_PASSKEY,
        ];
        for methods in several {
            assert!(methods.are_several(), "{methods:?}");
        }
        let alone = [
            Methods::PASSWORD,
            Methods::PASSKEY,
            Methods::PROVIDER.and(Methods::PASSWORD),
            Methods::PASSKEY.and(Methods::ONE_TIME_CODE),
        ];
        for methods in alone {
            assert!(!methods.are_several(), "{methods:?}");
        }
    }

    #[test]
    fn what_a_factor_has_proven_goes_with_it() {
        let all = Methods::VERIFIED_PASSKEY.and(Methods::PASSWORD).and(Methods::SMS);
        assert_eq!(all.backed_by(Methods::default()), Methods::PASSWORD);
        assert_eq!(all.backed_by(Methods::SMS), Methods::PASSWORD.and(Methods::SMS));
        assert_eq!(
            all.backed_by(Methods::PASSKEY),
            Methods::PASSWORD.and(Methods::VERIFIED_PASSKEY),
            "verified as it was"
        );
        assert_eq!(Methods::PASSKEY.backed_by(Methods::PASSKEY), Methods::PASSKEY);
    }

    #[test]
    fn tokens_say_them_in_the_words_of_rfc_8176() {
        let cases: [(Methods, &[&str]); 6] = [
            (Methods::PASSWORD, &["pwd"]),
            (Methods::PASSWORD.and(Methods::ONE_TIME_CODE), &["pwd", "otp", "mfa"]),
            (Methods::PASSWORD.and(Methods::SMS), &["pwd", "sms", "mfa"]),
            (Methods::PASSKEY, &["pop", "user"]),
            (Methods::VERIFIED_PASSKEY, &["pop", "user", "mfa"]),
            (Methods::PROVIDER, &[]),
        ];
        for (methods, names) in cases {
            assert_eq!(methods.names(), names);
        }
    }
}

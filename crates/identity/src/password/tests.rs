mod blocklist;
mod foreign;
mod hashing;
mod rules;

use super::*;

fn password(text: &str) -> Password {
    Password::new(&text.into()).unwrap()
}

#[test]
fn preparation_makes_equal_what_looks_equal() {
    let equal = [
        ("schöne Grüße", "scho\u{308}ne Gru\u{308}ße"),
        ("a b", "a\u{a0}b"),
        ("a b", "a\u{3000}b"),
        ("\u{212b}ngström", "Ångström"),
    ];
    for (one, other) in equal {
        assert_eq!(password(one).expose(), password(other).expose(), "{one:?} {other:?}");
    }
    assert_ne!(password("x²").expose(), password("x2").expose(), "NFC keeps what is merely compatible apart");
    assert_ne!(password(" a ").expose(), password("a").expose(), "spaces at the ends count");
    assert_eq!(password("scho\u{308}n").length(), 5);
    assert_eq!(password("🦀🦀").length(), 2);
}

#[test]
fn texts_that_cannot_be_passwords() {
    let cases = [
        ("", PasswordError::Empty),
        ("a\nb", PasswordError::ControlCharacter),
        ("a\0", PasswordError::ControlCharacter),
        (&"x".repeat(1025), PasswordError::TooLong),
    ];
    for (text, error) in cases {
        assert_eq!(Password::new(&text.into()).unwrap_err(), error);
    }
    assert!(Password::new(&"x".repeat(1024).into()).is_ok());
}

#[test]
fn debug_does_not_tell() {
    assert_eq!(format!("{:?}", password("correct horse")), "Password(***)");
    let context = PasswordContext::new(["alice@shop.example"]);
    assert!(!format!("{context:?}").contains("alice"));
}

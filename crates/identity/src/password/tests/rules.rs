use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn codes(rules: &PasswordRules, text: &str, factors: Factors) -> String {
    let context = PasswordContext::new(["alice.miller@shop.example", "Wonderland Ltd"]);
    let violations = rules.check(&password(text), factors, &context).unwrap();
    violations.iter().map(Violation::code).collect::<Vec<_>>().join(" ")
}

fn nist() -> PasswordRules {
    PasswordRules::new(PasswordProfile::Nist, ["Bartizan", "Acme"])
}

#[test]
fn the_rules_of_sp_800_63b_4() {
    let cases = [
        ("seven herons over a tin roof", ""),
        ("vqz fkw jhx pmd", ""),
        ("vqz fkw jhx pm", "too_short"),
        ("семь цапель над крышей", ""),
        ("🦀🐙🦑🦐🐚🐳🐬🦭🐟🐠🐡🦈🦞🪼🪸", ""),
        ("correct horse battery staple", "common"),
        ("To Be or Not to Be!", "common"),
        ("passwordpassword", "guessable"),
        ("aaaaaaaaaaaaaaaaaaaa", "guessable"),
        ("abcdefghijklmnopqrstuvwxyz", "guessable"),
        ("qwertyuiopasdfghjkl", "guessable"),
        ("password", "too_short common"),
        ("P@ssw0rd", "too_short common"),
        ("bartizanbartizan", "contains_service guessable"),
        ("B4rtiz4n-2026-!!!", "contains_service"),
        ("alice.miller.1987", "contains_person guessable"),
        ("wonderland-wonder", "contains_person"),
        ("12345678901234567890", "guessable"),
        ("the bartizan guards a quiet orchard", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(codes(&nist(), text, Factors::Alone), expected, "{text}");
    }
    assert_eq!(codes(&nist(), "vqzfkwjh", Factors::WithSecondFactor), "");
    assert_eq!(codes(&nist(), "vqzfkwj", Factors::WithSecondFactor), "too_short");
    let long: String = "vqz fkw jhx pmd ".chars().cycle().take(128).collect();
    assert_eq!(codes(&nist(), &long, Factors::Alone), "");
    assert_eq!(codes(&nist(), &format!("{long}x"), Factors::Alone), "too_long");
}

#[test]
fn the_older_rules() {
    let rules = PasswordRules::new(PasswordProfile::CharacterClasses, ["Bartizan"]);
    let cases = [
        ("Vqz7fkw-jhxp", ""),
        ("Vqz7fkw-jhx", "too_short"),
        ("vqz7fkw-jhxp", "no_upper_case"),
        ("VQZ7FKW-JHXP", "no_lower_case"),
        ("Vqzxfkw-jhxp", "no_digit"),
        ("Vqz7fkwajhxp", "no_special"),
        ("vqzxfkwwjhxp", "no_upper_case no_digit no_special"),
        ("Vqz7fkw---jhxp", ""),
        ("Vqz7fkw----jhxp", "run"),
        ("Vqz7fkw-1234", "pattern"),
        ("Vqz7fkw-DCBA", "pattern"),
        ("Vqz7fkw-trewqx", "pattern"),
        ("Vqz7fkw-P4$$w0rd", "pattern"),
        ("Bartizan-2026", "contains_service"),
    ];
    for (text, expected) in cases {
        assert_eq!(codes(&rules, text, Factors::Alone), expected, "{text}");
    }
    assert!(!rules.profile().is_compliant());
    assert!(nist().profile().is_compliant());
}

#[test]
fn violations_tell_people_what_to_do() {
    let context = PasswordContext::new(["alice"]);
    let violations = nist().check(&password("alice2026"), Factors::Alone, &context).unwrap();
    let messages: Vec<_> = violations.iter().map(Violation::to_string).collect();
    assert_eq!(messages[0], "use at least 15 characters; this has 9");
    assert_eq!(
        messages[1],
        "this is little more than your own name or address: add words that have nothing to do with it"
    );
    assert!(messages[2].starts_with("this is too easy to guess: "), "{}", messages[2]);
}

#[test]
fn no_password_takes_long_to_judge() {
    let substitutions =
        ["4@8({[<369!1|70$5+%2", "({[<", "1!|7", "17|+", "4@$5", "1234567890@"].map(|some| some.repeat(32));
    let repeated = [
        "seven herons over a tin roof".to_owned(),
        "x7Kq#mP2$vLw9!TzR4nB".to_owned(),
        "a".repeat(128),
        "ab".repeat(64),
        "19871987".repeat(16),
    ];
    for text in substitutions.into_iter().chain(repeated) {
        let start = Instant::now();
        let _ = codes(&nist(), &text, Factors::Alone);
        assert!(start.elapsed() < Duration::from_secs(3), "{text} took {:?}", start.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_judged(text in "\\PC{1,140}", user in "\\PC{0,40}") {
        let context = PasswordContext::new([user]);
        for profile in [PasswordProfile::Nist, PasswordProfile::CharacterClasses] {
            let rules = PasswordRules::new(profile, ["Bartizan"]);
            if let Ok(password) = Password::new(&text.as_str().into()) {
                let violations = rules.check(&password, Factors::Alone, &context).unwrap();
                let too_long = violations.iter().any(|violation| violation.code() == "too_long");
                prop_assert_eq!(too_long, password.length() > 128);
            }
        }
    }

    #[test]
    fn preparation_is_stable(text in "\\PC{1,140}") {
        if let Ok(once) = Password::new(&text.as_str().into()) {
            let twice = password(once.expose());
            prop_assert_eq!(once.expose(), twice.expose());
        }
    }
}

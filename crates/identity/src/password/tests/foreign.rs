use super::*;

/// Of `crypt_blowfish`, RFC 7914 (section 12), Python's `hashlib`, and the reference implementation of argon2.
const HASHES: [(&str, &str); 7] = [
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (
        "pleaseletmein",
        "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU\
         $cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
    ),
    ("password", "$pbkdf2$i=10000$c29tZXNhbHRzb21lc2FsdA$yech4wIzdJOR1lmMupjhUxEhXoQ"),
    ("password", "$pbkdf2-sha256$i=10000$c29tZXNhbHRzb21lc2FsdA$PhDZpTri2KZk3CJjksQCcDDaGf36KxfkgWElmz5yFVA"),
    (
        "password",
        "$pbkdf2-sha512$i=10000$c29tZXNhbHRzb21lc2FsdA\
         $AZDSbetEC40vZncLQS9w6Lkdg/ncDTcn/x3RgiuwpQcPqNJP5zZmD36vl+nUE6eA0aR2hUjzDLTdtsTAei4mNA",
    ),
    ("password", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"),
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
];

#[test]
fn hashes_of_other_systems_are_recognised() {
    let mut memory = Vec::new();
    for (text, hash) in HASHES {
        let foreign = ForeignHash::parse(hash).unwrap();
        assert!(foreign.matches(&password(text), &mut memory), "{hash}");
        assert!(!foreign.matches(&password(&format!("{text}!")), &mut memory), "{hash}");
    }
}

#[test]
fn what_would_take_the_machine_is_refused() {
    for (hash, expected) in [
        ("$2a$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", ForeignHashError::Bounds),
        ("$2a$05$CCCC", ForeignHashError::Form),
        ("$scrypt$ln=18,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w", ForeignHashError::Bounds),
        ("$scrypt$ln=64,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w", ForeignHashError::Bounds),
        ("$scrypt$ln=14,r=8,p=5$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w", ForeignHashError::Bounds),
        ("$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9", ForeignHashError::Form),
        (
            "$pbkdf2-sha256$i=2000001$c29tZXNhbHRzb21lc2FsdA$yech4wIzdJOR1lmMupjhUxEhXoQ",
            ForeignHashError::Bounds,
        ),
        ("$pbkdf2-sha256$i=0$c29tZXNhbHRzb21lc2FsdA$yech4wIzdJOR1lmMupjhUxEhXoQ", ForeignHashError::Form),
        (
            "$argon2i$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
            ForeignHashError::Bounds,
        ),
        ("$5$rounds=5000$c29tZXNhbHQ$yech4wIzdJOR1lmMupjhUxEhXoQ", ForeignHashError::Form),
        ("plain", ForeignHashError::Form),
        ("", ForeignHashError::Form),
    ] {
        assert_eq!(ForeignHash::parse(hash).unwrap_err(), expected, "{hash}");
    }
}

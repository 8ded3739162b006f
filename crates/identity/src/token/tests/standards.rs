use bartizan_config::Algorithm;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    InvalidReason, TokenHeader,
    key::KeySet,
    token::{check_signature, compact::CompactToken},
};

/// The examples of RFC 7515, appendices A.1 to A.3, and of RFC 8037, appendix A.4.
#[test]
fn examples_of_the_standards_verify() {
    let rsa = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
               T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS\
               -UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2et\
               hFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let claims =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret = URL_SAFE_NO_PAD
        .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let jwks = |key: Value| KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes()).unwrap().0;
    let cases = [
        (
            KeySet::from_secret_bytes(&secret.unwrap(), &[Algorithm::HS256]).unwrap(),
            format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ),
        (
            jwks(json!({ "kty": "RSA", "n": rsa, "e": "AQAB" })),
            format!(
                "eyJhbGciOiJSUzI1NiJ9.{claims}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-\
                 0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSj\
                 tQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi\
                 pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        ),
        (
            jwks(json!({
                "kty": "EC", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            })),
            format!(
                "eyJhbGciOiJFUzI1NiJ9.{claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTU\
                 JqPP3-Kg6NU1Q"
            ),
        ),
        (
            jwks(json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijc\
             NR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
                .into(),
        ),
    ];
    for (keys, text) in &cases {
        let token = CompactToken::parse(text.as_bytes()).unwrap();
        let header = TokenHeader::parse(&token.header).unwrap();
        assert_eq!(check_signature(&token, &header, keys), Ok(()), "{text}");
        let tampered = text.replacen(".eyJpc3", ".eyJpc4", 1).replacen(".RXhh", ".RXhi", 1);
        let token = CompactToken::parse(tampered.as_bytes()).unwrap();
        assert_eq!(check_signature(&token, &header, keys), Err(InvalidReason::Signature), "{text}");
    }
}

/// The payload of every example of RFC 7520, section 4.
const FRODO: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg\
     cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0\
     IGJlIHN3ZXB0IG9mZiB0by4";

/// RFC 7520, sections 4.1 to 4.5.
#[test]
fn examples_of_rfc_7520() {
    let modulus = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB\
         SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD\
         1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_\
         qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
    let secret = URL_SAFE_NO_PAD.decode("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg").unwrap();
    let shared = KeySet::from_secret_bytes(&secret, &[Algorithm::HS256]).unwrap();
    let jwks = |key: Value| KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    let bilbo = "bilbo.baggins@hobbiton.example";
    let (rsa, _) = jwks(json!({ "kty": "RSA", "kid": bilbo, "use": "sig", "n": modulus, "e": "AQAB" }));
    let key_id = "018c0ae5-4d9b-471b-bfd6-eef314bc7037";
    let cases = [
        (
            &rsa,
            json!({ "alg": "RS256", "kid": bilbo }),
            "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi8\
             4wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocS\
             adnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJu\
             shZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        ),
        (
            &rsa,
            json!({ "alg": "PS384", "kid": bilbo }),
            "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItl\
             lVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0\
             TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0\
             uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        ),
        (&shared, json!({ "alg": "HS256", "kid": key_id }), "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"),
    ];
    let verdict = |keys: &KeySet, text: &str| {
        let token = CompactToken::parse(text.as_bytes())?;
        check_signature(&token, &TokenHeader::parse(&token.header)?, keys)
    };
    for (keys, header, signature) in &cases {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let token = format!("{header}.{FRODO}.{signature}");
        assert_eq!(verdict(keys, &token), Ok(()), "{token}");
        let tampered = token.replacen(".SXTig", ".SXTih", 1);
        assert_eq!(verdict(keys, &tampered), Err(InvalidReason::Signature), "{token}");
        let detached = format!("{header}..{signature}");
        assert_eq!(verdict(keys, &detached), Err(InvalidReason::Signature), "content is never elsewhere");
    }

    // ES512 is not offered: neither the key nor the token is taken.
    let (none, refused) = jwks(json!({
        "kty": "EC", "kid": bilbo, "use": "sig", "crv": "P-521",
        "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
        "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
    }));
    assert_eq!((none.len(), refused.len()), (0, 1));
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "ES512", "kid": bilbo }).to_string());
    let signature = "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_\
         sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2";
    let token = format!("{header}.{FRODO}.{signature}");
    assert_eq!(verdict(&none, &token), Err(InvalidReason::Algorithm));
}

/// RFC 8037, appendices A.1 and A.2: a set with the private key is refused it, the public key is taken.
#[test]
fn keys_of_rfc_8037() {
    let public =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let mut private = public.clone();
    private["d"] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A".into();
    let keys =
        |key: &Value| KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes()).unwrap().0.len();
    assert_eq!((keys(&public), keys(&private)), (1, 0));
}

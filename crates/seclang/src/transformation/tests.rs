//! Vectors by hand, each an answer of libmodsecurity 3.0.9 (where `tests/differences.md` does not say otherwise),
//! and what holds for every transformation and every value.

use std::borrow::Cow;

use proptest::prelude::*;

use super::Transformation::{self, *};
use crate::cpu_time::is_linear;

const VECTORS: &[(Transformation, &[u8], &[u8])] = &[
    (Base64Decode, b"QUJD", b"ABC"),
    (Base64Decode, b"QUI=", b"AB"),
    (Base64Decode, b"QUJD\r\nREVG \n", b"ABCDEF"),
    (Base64Decode, b"QUJDRE", b"ABC"),
    (Base64Decode, b"QUJD!", b""),
    (Base64Decode, b"QU JD", b""),
    (Base64Decode, b"QQ=A", b""),
    (Base64Decode, b"QUJD\0!!", b"ABC"),
    (Base64DecodeExt, b"Q.U*J-D", b"ABC"),
    (Base64DecodeExt, b"QUJDRE", b"ABCD"),
    (Base64DecodeExt, b"QUJDQ=A", b""),
    (Base64DecodeExt, b"QUJDQ==", b""),
    (Base64DecodeExt, b"QUJD9", b""),
    (Base64Encode, b"AB", b"QUI="),
    (CmdLine, b"C^a\"t ,; \t/etc (x)", b"cat/etc(x)"),
    (CompressWhitespace, b"a \t\x0b\x0c\r\n b", b"a b"),
    (CssDecode, b"\\41 b\\000042\\\nc\\g\\", b"AbBcg"),
    (CssDecode, b"\\ff1c\\0ff1e\\00ff21x", b"<>Ax"),
    (CssDecode, b"\\10ff1c", b"\x1c"),
    (EscapeSeqDecode, b"\\n\\x41\\X42\\101\\q\\xg\\777\\", b"\nABAqxg\xff\\"),
    (HexDecode, b"41424", b"AB"),
    (HexEncode, b"\x00\xffA", b"00ff41"),
    (HtmlEntityDecode, b"&lt;&GT&quot;&amp;&nbsp;", b"<>\"&\xa0"),
    (HtmlEntityDecode, b"&#60;&#x3E&#X41;&#0000000065", b"<>AA"),
    (HtmlEntityDecode, b"&#;&#x;&foo;&ltx;&", b"&#;&#x;&foo;&ltx;&"),
    (HtmlEntityDecode, b"&#99999999999999999999;&#321;", b"\xffA"),
    (JsDecode, b"\\u0041\\uff1c\\x42\\103\\777\\n\\/\\", b"A<BC?7\n/\\"),
    (Length, b"abc", b"3"),
    (Lowercase, b"A\xc4Z", b"a\xc4z"),
    (None, b"A", b"A"),
    (NormalizePath, b"/a/../b//c/./d", b"/b/c/d"),
    (NormalizePath, b"../../etc/./passwd", b"../../etc/passwd"),
    (NormalizePath, b"/../x/..", b""),
    (NormalizePath, b"a/name../b", b"a/b"),
    (NormalizePath, b"./a/.", b"a"),
    (NormalizePathWin, b"C:\\a\\..\\b\\.\\c", b"C:/b/c"),
    (NormalizePathWin, b"/\\\\bc", b"\\bc"),
    (ParityEven7Bit, b"\x01\x03\x81", b"\x81\x03\x01"),
    (ParityOdd7Bit, b"\x01\x03\x81", b"\x01\x83\x81"),
    (ParityZero7Bit, b"\xc1A", b"AA"),
    (RemoveComments, b"a/*x*/ b<!--y--> c--d", b"a b c"),
    (RemoveComments, b"a/*x*/", b"a\0"),
    (RemoveComments, b"a/*x", b"a "),
    (RemoveCommentsChar, b"a/*b*/c--d#e<!--f-->g", b"abcdefg"),
    (RemoveNulls, b"a\0b", b"ab"),
    (RemoveWhitespace, b"a \xc2\xa0\x0bb", b"ab"),
    (ReplaceComments, b"a/*x*/b/*/*/c/*", b"a b c "),
    (ReplaceNulls, b"a\0b", b"a b"),
    (SqlHexDecode, b"a0x414243 0X44g 0xg", b"aABC Dg 0xg"),
    (SqlHexDecode, b"0x410x42", b"A0x42"),
    (Trim, b"\t a b \x0b\n", b"a b"),
    (TrimLeft, b" a ", b"a "),
    (TrimRight, b" a ", b" a"),
    (Uppercase, b"a1", b"A1"),
    (UrlDecode, b"%41+%zz%4%u0041%", b"A %zz%4%u0041%"),
    (UrlDecodeUni, b"%41+%u0041%U0042%u00e9%uff1c%u2019%u4e2d%u12%zz", b"A ABe<'-%u12%zz"),
    (UrlEncode, b"a *\xff-", b"a+*%ff%2d"),
    (Utf8ToUnicode, "aé€😀".as_bytes(), b"a%u00e9%u20ac%u1f600"),
    (Utf8ToUnicode, b"\xc0\xafx\xc3\0\x80\xed\xa0\x80", b"%u002f\xc0x\x80%ud800\xed"),
];

#[test]
fn vectors_decode_as_in_the_reference() {
    for (transformation, value, expected) in VECTORS {
        let transformed = transformation.apply(value);
        assert_eq!(
            String::from_utf8_lossy(&transformed),
            String::from_utf8_lossy(expected),
            "{} of {:?}",
            transformation.name(),
            String::from_utf8_lossy(value)
        );
        assert_eq!(&*transformed, *expected, "{} of {value:?}", transformation.name());
    }
}

#[test]
fn digests_are_those_of_the_standards() {
    let hexadecimal = |digest: Cow<'_, [u8]>| String::from_utf8(HexEncode.apply(&digest).into_owned());
    assert_eq!(hexadecimal(Md5.apply(b"abc")).as_deref(), Ok("900150983cd24fb0d6963f7d28e17f72"));
    assert_eq!(hexadecimal(Sha1.apply(b"abc")).as_deref(), Ok("a9993e364706816aba3e25717850c26c9cd0d89d"));
}

#[test]
fn every_name_leads_to_its_transformation() {
    for (name, transformation) in Transformation::NAMES {
        assert_eq!(Transformation::from_name(&name.to_uppercase()), Some(transformation));
        assert_eq!(transformation.name(), name);
    }
    assert_eq!(Transformation::from_name("normalisePathWin"), Some(NormalizePathWin));
    assert_eq!(Transformation::from_name("rot13"), Option::None);
}

#[test]
fn best_fits_are_found_at_both_ends_of_their_runs() {
    for (text, fitted) in [
        (&b"%u00a0%u00ff%u0100%u0180%u01f0%u0261%u2122"[..], &b" yAbjgT"[..]),
        // Without a fitting character: the low byte.
        (b"%u00a3%u017f%u0181%u2123%uffff%u0000", b"\xa3\x7f\x81\x23\xff\0"),
    ] {
        assert_eq!(&*UrlDecodeUni.apply(text), fitted, "{}", String::from_utf8_lossy(text));
    }
}

/// Text dense in what the transformations look for.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "\\u", "\\x", "\\", "%u", "%", "+", "&#", "&#x", "&lt", ";", "0x", "/*", "*/", "<!--", "-->", "--", "#",
            "/", "..", ".", " ", "\t", "\0", "=", "41", "ff", "FF21", "a", "é", "😀", "QUJD", "377", "^", "(",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn borrowed_exactly_when_unchanged_and_never_longer_than_stated(value in text()) {
        for (name, transformation) in Transformation::NAMES {
            let transformed = transformation.apply(&value);
            let borrowed = matches!(transformed, Cow::Borrowed(_));
            prop_assert_eq!(borrowed, *transformed == *value, "{}", name);
            prop_assert!(transformed.len() <= transformation.longest(value.len()), "{} grew {:?}", name, value);
        }
    }

    #[test]
    fn encodings_are_undone_by_their_decoding(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        for (encode, decode) in [(UrlEncode, UrlDecode), (UrlEncode, UrlDecodeUni), (HexEncode, HexDecode), (Base64Encode, Base64Decode)] {
            let encoded = encode.apply(&value).into_owned();
            prop_assert_eq!(&*decode.apply(&encoded), &*value, "{}", decode.name());
        }
    }

    #[test]
    fn a_second_time_changes_nothing(value in text()) {
        for idempotent in [
            CompressWhitespace, Lowercase, Uppercase, ParityZero7Bit, RemoveNulls, RemoveWhitespace,
            ReplaceNulls, Trim, TrimLeft, TrimRight,
        ] {
            let once = idempotent.apply(&value).into_owned();
            prop_assert!(matches!(idempotent.apply(&once), Cow::Borrowed(_)), "{}", idempotent.name());
        }
    }
}

#[test]
fn time_is_linear_on_what_the_walks_could_stumble_over() {
    let value = |piece: &str, size: usize| piece.repeat(size / piece.len()).into_bytes();
    for piece in [
        "/..", "../", "a/", "/*", "*/", "&", "&#", "\\", "%", "%u", "--", "<!--", "0x", "0x41", " ", "=",
        "\u{ff}",
    ] {
        let (small, large) = (value(piece, 1 << 12), value(piece, 1 << 16));
        for (name, transformation) in Transformation::NAMES {
            assert!(
                is_linear(&small, &large, |value| drop(std::hint::black_box(transformation.apply(value)))),
                "{name} of many `{piece}`"
            );
        }
    }
}

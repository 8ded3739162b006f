//! Every transformation on any bytes: no panic, borrowed exactly when unchanged, never longer than stated.

#![no_main]

use std::borrow::Cow;

use bartizan_seclang::Transformation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    for (name, transformation) in Transformation::NAMES {
        let transformed = transformation.apply(value);
        assert_eq!(matches!(transformed, Cow::Borrowed(_)), *transformed == *value, "{name}");
        assert!(transformed.len() <= transformation.longest(value.len()), "{name}");
    }
});

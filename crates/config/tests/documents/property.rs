//! No text makes the parser panic, and what it says about one can be shown.

use bartizan_config::{Config, Source};
use proptest::prelude::*;

use crate::{environment, with};

/// Pieces that documents are made of, so that random text gets past the first line.
const PIECES: [&str; 46] = [
    "version: 1\n",
    "listen: ",
    "{ http: \"127.0.0.1:0\" }\n",
    "routes:\n",
    "  - path: /a/**\n",
    "    to: \"http://a\"\n",
    "    auth: none\n",
    "    auth: [",
    "identity:\n",
    "  a: { jwt: { issuer: x, audience: y, secret: ",
    "${JWT_SECRET}",
    "${",
    "}",
    "{",
    "[",
    "]",
    ", ",
    ": ",
    "\n",
    "  ",
    "- ",
    "&a ",
    "*a ",
    "<<: ",
    "!t ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "#",
    "\t",
    "\u{0}",
    "é",
    "\u{2028}",
    "require: { GET: [a:b], any: [] }\n",
    "cors: { origins: \"*\" }\n",
    "body: { hold: 1KiB }\n",
    "limits:\n",
    "  a: [{ per: [address, \"header:x\"], rate: 10/min, ",
    "burst: 5, on: [\"POST /a\", /a/*] }]\n",
    "    limit: [a, voice]\n",
    "    cost: { \"POST /a/b\": 5, /a/**: 2 }\n",
    "shared: { redis: [\"redis://:${JWT_SECRET}@a\"",
    "tls: dev\n",
    "99999999999999999999",
    "---\n",
];

fn survives(text: &str) {
    let source = Source::text("/nonexistent").with_environment(environment());
    if let Err(error) = Config::parse(text, &source) {
        assert!(!error.diagnostics().is_empty(), "refused without a reason: {text:?}");
        assert!(!error.to_string().contains(crate::LONG_SECRET));
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        survives(&text);
        survives(&with(&text));
    }

    #[test]
    fn arbitrary_pieces_never_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        let text = pieces.concat();
        survives(&text);
        survives(&with(&text));
    }

    #[test]
    fn a_changed_character_never_panics(at in 0_usize..600, character in any::<char>()) {
        let text = include_str!("../../../../examples/behind-a-proxy.yaml");
        let changed: String =
            text.chars().enumerate().map(|(index, known)| if index == at { character } else { known }).collect();
        survives(&changed);
    }
}

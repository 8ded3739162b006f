//! The ASCII character that Windows shows for one which its code page 20127 (US-ASCII) does not have.
//!
//! This is the map that `ModSecurity`'s recommended configuration names, `SecUnicodeMapFile unicode.mapping
//! 20127`. Full-width forms are not in the table: they follow a rule that `url` knows.

/// The character fitted to ASCII, if the code page has one for it.
pub(super) fn ascii(character: u16) -> Option<u8> {
    let after = FITTED.partition_point(|(first, _)| *first <= character);
    let (first, run) = FITTED.get(after.checked_sub(1)?)?;
    let fitted = *run.get(usize::from(character - first))?;
    (fitted != NONE).then_some(fitted)
}

/// Stands in a run for a character without a fitting one; nothing is fitted to a question mark.
const NONE: u8 = b'?';

/// Runs of characters: the first, and what is shown for it and those that follow.
const FITTED: [(u16, &[u8]); 21] = [
    (0x00a0, b" !c?$Y|??Ca<?-R???23???.,1o>"),
    (0x00c0, b"AAAAAAACEEEEIIIIDNOOOOO?OUUUUY??aaaaaaaceeeeiiii?nooooo?ouuuuy?yAaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKk?LlLlLl??LlNnNnNn???OoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZ?ZzZz?b"),
    (0x0189, b"D"),
    (0x0191, b"Ff"),
    (0x0197, b"I??l"),
    (0x019f, b"OOo"),
    (0x01ab, b"t??TUu"),
    (0x01b6, b"z"),
    (0x01cd, b"AaIiOoUuUuUuUuUu?Aa"),
    (0x01e4, b"GgGgKkOoOo??j"),
    (0x0261, b"g"),
    (0x02b9, b"'\"?'"),
    (0x02c4, b"^?^?'??`?_"),
    (0x02dc, b"~"),
    (0x0300, b"`?^~"),
    (0x030e, b"\""),
    (0x0331, b"__"),
    (0x2000, b"       "),
    (0x2010, b"--?--???'',?\"\"\"???.???."),
    (0x2032, b"'??`???<>"),
    (0x2122, b"T"),
];

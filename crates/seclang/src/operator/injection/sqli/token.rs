//! What SQL is made of.

/// The longest text that is kept of a token. What is longer is known by its beginning.
pub(super) const LONGEST: usize = 31;

/// What a token is to SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Keyword,
    Union,
    Group,
    Expression,
    SqlType,
    Function,
    Bareword,
    Number,
    Variable,
    String,
    Operator,
    LogicOperator,
    Comment,
    Collate,
    LeftParenthesis,
    RightParenthesis,
    LeftBrace,
    RightBrace,
    Dot,
    Comma,
    Colon,
    Semicolon,
    TransactSql,
    Unknown,
    /// What cannot be read the same way by all databases: nested comments, conditional ones.
    Evil,
    Backslash,
}

/// All kinds, by the letters that stand for them in a fingerprint.
const LETTERS: [(Kind, u8); 26] = [
    (Kind::Keyword, b'k'),
    (Kind::Union, b'U'),
    (Kind::Group, b'B'),
    (Kind::Expression, b'E'),
    (Kind::SqlType, b't'),
    (Kind::Function, b'f'),
    (Kind::Bareword, b'n'),
    (Kind::Number, b'1'),
    (Kind::Variable, b'v'),
    (Kind::String, b's'),
    (Kind::Operator, b'o'),
    (Kind::LogicOperator, b'&'),
    (Kind::Comment, b'c'),
    (Kind::Collate, b'A'),
    (Kind::LeftParenthesis, b'('),
    (Kind::RightParenthesis, b')'),
    (Kind::LeftBrace, b'{'),
    (Kind::RightBrace, b'}'),
    (Kind::Dot, b'.'),
    (Kind::Comma, b','),
    (Kind::Colon, b':'),
    (Kind::Semicolon, b';'),
    (Kind::TransactSql, b'T'),
    (Kind::Unknown, b'?'),
    (Kind::Evil, b'X'),
    (Kind::Backslash, b'\\'),
];

impl Kind {
    pub(super) fn letter(self) -> u8 {
        LETTERS.iter().find(|(kind, _)| *kind == self).map_or(b'?', |(_, letter)| *letter)
    }

    /// The kind that a letter stands for.
    pub(super) fn of_letter(letter: u8) -> Option<Self> {
        LETTERS.iter().find(|(_, known)| *known == letter).map(|(kind, _)| *kind)
    }

    pub(super) const fn is_in(self, kinds: Kinds) -> bool {
        kinds.0 >> self as u32 & 1 == 1
    }
}

/// A set of kinds.
#[derive(Clone, Copy)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const fn of(kinds: &[Kind]) -> Self {
        let (mut set, mut at) = (Self(0), 0);
        while at < kinds.len() {
            set = set.with(kinds[at]);
            at += 1;
        }
        set
    }

    pub(super) const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }
}

/// A token of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Its text without quotation marks, or the beginning of it.
    pub(super) text: &'a [u8],
    /// What opened a string; nothing if the query did.
    pub(super) opened_by: Option<u8>,
    pub(super) closed_by: Option<u8>,
}

impl<'a> Token<'a> {
    pub(super) const EMPTY: Self = Self { kind: Kind::Unknown, text: b"", opened_by: None, closed_by: None };

    #[inline]
    pub(super) fn new(kind: Kind, text: &'a [u8]) -> Self {
        Self { kind, text: text.get(..LONGEST).unwrap_or(text), opened_by: None, closed_by: None }
    }

    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_one_of(&self, words: &[&[u8]]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(super) fn begins_with(&self, word: &[u8]) -> bool {
        self.text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    }

    #[inline]
    pub(super) fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && match self.text {
                [b'+' | b'-' | b'!' | b'~'] | b"!!" => true,
                word => word.len() == 3 && word.eq_ignore_ascii_case(b"NOT"),
            }
    }

    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, [b'*' | b'/' | b'-' | b'+' | b'%'])
    }
}

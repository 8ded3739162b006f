//! Reading a value as SQL, token by token.

use super::{
    Dialect, literals,
    token::{Kind, LONGEST, Token},
    vocabulary,
};
use crate::byte_set::ByteSet;

/// Control characters are white space, and the no-break space of Latin 1.
const WHITE: ByteSet = ByteSet::EMPTY.with_range(0, b' ').with(0x7f).with(0xa0);

/// What may follow a number or `--` as white space. It is less than what is skipped.
pub(super) const SPACE: ByteSet = ByteSet::of(b"\0\t\n\x0b\x0c\r \xa0");

const WORD_ENDS: ByteSet = ByteSet::of(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\0\xa0");

const VARIABLE_ENDS: ByteSet = ByteSet::of(b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r`\"\0");

/// A value that is being read.
pub(super) struct Tokenizer<'a> {
    pub(super) rest: &'a [u8],
    dialect: Dialect,
    /// The quotation mark before the value, until its string is read.
    inside: Option<u8>,
    /// How many tokens were read.
    pub(super) tokens: usize,
    /// Whether there was something that another dialect reads differently.
    pub(super) depends_on_dialect: bool,
}

impl<'a> Tokenizer<'a> {
    pub(super) fn new(value: &'a [u8], dialect: Dialect, inside: Option<u8>) -> Self {
        Self { rest: value, dialect, inside, tokens: 0, depends_on_dialect: false }
    }

    /// Takes the next token.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = match self.inside.take() {
            Some(quote) => Token { opened_by: None, ..self.string(0, quote) },
            None => self.read()?,
        };
        self.tokens += 1;
        Some(token)
    }

    #[inline]
    fn read(&mut self) -> Option<Token<'a>> {
        let start = self.rest.iter().position(|byte| !WHITE.contains(*byte))?;
        self.skip(start);
        Some(match *self.rest.first()? {
            b'0'..=b'9' | b'.' => literals::number(self),
            b'(' => self.take(Kind::LeftParenthesis, 1),
            b')' => self.take(Kind::RightParenthesis, 1),
            b',' => self.take(Kind::Comma, 1),
            b';' => self.take(Kind::Semicolon, 1),
            b'{' => self.take(Kind::LeftBrace, 1),
            b'}' => self.take(Kind::RightBrace, 1),
            b'?' | b']' => self.take(Kind::Unknown, 1),
            b'%' | b'^' | b'+' | b'~' => self.take(Kind::Operator, 1),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'#' => self.hash(),
            b'\\' => self.backslash(),
            b'[' => self.bracketed(),
            b'@' => self.variable(),
            b'$' => literals::money(self),
            b'`' => self.backquoted(),
            quote @ (b'\'' | b'"') => self.string(1, quote),
            letter => match self.rest.get(1) {
                Some(b'\'' | b'&' | b'q' | b'Q') => literals::prefixed(self, letter),
                _ => self.word(),
            },
        })
    }

    pub(super) fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    #[inline]
    pub(super) fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, b""));
        self.rest = rest;
        Token::new(kind, text)
    }

    /// Where bytes end that are in a set.
    #[inline]
    pub(super) fn span(&self, start: usize, set: ByteSet) -> usize {
        let rest = self.rest.get(start..).unwrap_or_default();
        start + rest.iter().position(|byte| !set.contains(*byte)).unwrap_or(rest.len())
    }

    /// Where the first byte is that is in a set.
    fn span_to(&self, ends: ByteSet) -> usize {
        self.rest.iter().position(|byte| ends.contains(*byte)).unwrap_or(self.rest.len())
    }

    /// Operators of two and three characters are in the vocabulary, others are single characters.
    fn operator(&mut self) -> Token<'a> {
        match self.rest {
            [b'<', b'=', b'>', ..] => self.take(Kind::Operator, 3),
            [one, other, ..] => {
                let pair =
                    other.is_ascii_punctuation().then(|| vocabulary::meaning(&[*one, *other])).flatten();
                match (pair, one) {
                    (Some(kind), _) => self.take(kind, 2),
                    (None, b':') => self.take(Kind::Colon, 1),
                    (None, _) => self.take(Kind::Operator, 1),
                }
            }
            _ => self.take(Kind::Operator, 1),
        }
    }

    /// In ANSI SQL `--` always begins a comment, in MySQL before white space only.
    fn dash(&mut self) -> Token<'a> {
        let is_comment = match *self.rest {
            [_, b'-'] => true,
            [_, b'-', next, ..] if SPACE.contains(next) => true,
            [_, b'-', ..] => {
                self.depends_on_dialect = true;
                self.dialect == Dialect::Ansi
            }
            _ => false,
        };
        if is_comment { self.comment() } else { self.take(Kind::Operator, 1) }
    }

    fn hash(&mut self) -> Token<'a> {
        self.depends_on_dialect = true;
        match self.dialect {
            Dialect::Ansi => self.take(Kind::Operator, 1),
            Dialect::MySql => self.comment(),
        }
    }

    /// A comment to the end of the line.
    fn comment(&mut self) -> Token<'a> {
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let token = self.take(Kind::Comment, end);
        self.skip(1);
        token
    }

    /// A comment within another is read differently by databases, and one that begins with `/*!` is none to MySQL.
    fn slash(&mut self) -> Token<'a> {
        let Some(within) = self.rest.strip_prefix(b"/*") else {
            return self.take(Kind::Operator, 1);
        };
        let mut has_another = false;
        let end = within.windows(2).position(|pair| {
            // In `/*/*/` libinjection sees another comment begin.
            has_another |= pair == b"/*";
            pair == b"*/"
        });
        let is_evil = (has_another && end.is_some()) || within.starts_with(b"!");
        let kind = if is_evil { Kind::Evil } else { Kind::Comment };
        self.take(kind, end.map_or(self.rest.len(), |end| end + 4))
    }

    /// `\N` is another `NULL`.
    fn backslash(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'N', ..] => self.take(Kind::Number, 2),
            _ => self.take(Kind::Backslash, 1),
        }
    }

    /// A name in brackets, as in Transact-SQL.
    fn bracketed(&mut self) -> Token<'a> {
        let length = memchr::memchr(b']', self.rest).map_or(self.rest.len(), |end| end + 1);
        self.take(Kind::Bareword, length)
    }

    fn variable(&mut self) -> Token<'a> {
        self.skip(if self.rest.starts_with(b"@@") { 2 } else { 1 });
        match self.rest.first() {
            Some(b'`') => Token { kind: Kind::Variable, ..self.backquoted() },
            Some(quote @ (b'\'' | b'"')) => Token { kind: Kind::Variable, ..self.string(1, *quote) },
            _ => self.take(Kind::Variable, self.span_to(VARIABLE_ENDS)),
        }
    }

    /// A name in backquotes, or a function.
    fn backquoted(&mut self) -> Token<'a> {
        let token = self.string(1, b'`');
        match vocabulary::meaning(token.text) {
            Some(Kind::Function) => Token { kind: Kind::Function, ..token },
            _ => Token { kind: Kind::Bareword, ..token },
        }
    }

    /// A string that begins after some bytes, and ends with a quotation mark that is neither escaped nor doubled.
    pub(super) fn string(&mut self, start: usize, quote: u8) -> Token<'a> {
        self.skip(start);
        let end = literals::end_of_string(self.rest, quote);
        let token = self.take(Kind::String, end.unwrap_or(self.rest.len()));
        self.skip(1);
        Token { opened_by: Some(quote), closed_by: end.map(|_| quote), ..token }
    }

    /// A word. One that means something ends before a dot or a backquote, as in `select.1`.
    ///
    /// Its end is looked for only then: or else a row of such words would be read over and over.
    pub(super) fn word(&mut self) -> Token<'a> {
        let start = self.rest.get(..LONGEST).unwrap_or(self.rest);
        for (at, byte) in start.iter().enumerate() {
            if WORD_ENDS.contains(*byte) {
                break;
            }
            if matches!(byte, b'.' | b'`')
                && let Some(kind) = start.get(..at).and_then(vocabulary::meaning)
                && kind != Kind::Bareword
            {
                return self.take(kind, at);
            }
        }
        let length = self.span_to(WORD_ENDS);
        let token = self.take(Kind::Bareword, length);
        let kind = if length <= LONGEST { vocabulary::meaning(token.text) } else { None };
        Token { kind: kind.unwrap_or(Kind::Bareword), ..token }
    }
}

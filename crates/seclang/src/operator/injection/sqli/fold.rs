//! Folding: what is left of a value's tokens when all is taken away that means the same without.
//!
//! `1 + 1`, `a, b, c` and `"x" "y"` are as good as their first token, brackets in brackets as the outer ones, signs and
//! comments as nothing. The first tokens are folded until five are left that cannot be.

use super::{
    Dialect,
    token::{Kind, Kinds, Token},
    tokenizer::Tokenizer,
    vocabulary,
};

/// How many tokens a fingerprint is made of.
const MOST: usize = 5;

/// What the first of two words is that are a phrase.
const FIRST_WORDS: Kinds = Kinds::of(&[
    Kind::Keyword,
    Kind::Bareword,
    Kind::Operator,
    Kind::Union,
    Kind::Function,
    Kind::Expression,
    Kind::TransactSql,
    Kind::SqlType,
]);

const LAST_WORDS: Kinds = FIRST_WORDS.with(Kind::LogicOperator);

/// What stands for itself.
const VALUES: Kinds = Kinds::of(&[Kind::Number, Kind::Bareword, Kind::Variable, Kind::String]);

const NAMES: Kinds = Kinds::of(&[Kind::Number, Kind::Bareword]);

/// What a type may stand before.
const TYPED: Kinds = Kinds::of(&[
    Kind::Bareword,
    Kind::Number,
    Kind::SqlType,
    Kind::LeftParenthesis,
    Kind::Function,
    Kind::Variable,
    Kind::String,
]);

const BEFORE_PARENTHESIS: Kinds = Kinds::of(&[Kind::Expression, Kind::Group, Kind::Comma]);
const BEFORE_SIGN: Kinds = BEFORE_PARENTHESIS.with(Kind::Keyword);
const BEFORE_VALUE: Kinds = Kinds::of(&[Kind::Keyword, Kind::Expression, Kind::Group]);

/// Names of columns, and functions where a bracket follows.
const FUNCTIONS: [&[u8]; 11] = [
    b"USER_ID",
    b"USER_NAME",
    b"DATABASE",
    b"PASSWORD",
    b"USER",
    b"CURRENT_USER",
    b"CURRENT_DATE",
    b"CURRENT_TIME",
    b"CURRENT_TIMESTAMP",
    b"LOCALTIME",
    b"LOCALTIMESTAMP",
];

/// A value's tokens, folded.
pub(super) struct Folded<'a> {
    tokens: [Token<'a>; MOST],
    length: usize,
    /// How many tokens the value has, as far as it was read.
    pub(super) read: usize,
    /// Whether there was something that another dialect reads differently.
    pub(super) depends_on_dialect: bool,
}

impl<'a> Folded<'a> {
    pub(super) fn of(value: &'a [u8], dialect: Dialect, inside: Option<u8>) -> Self {
        let mut folding = Folding {
            tokenizer: Tokenizer::new(value, dialect, inside),
            tokens: [Token::EMPTY; MOST + 1],
            end: 0,
            left: 0,
            changed: usize::MAX,
            more: true,
            comment: None,
        };
        let length = if folding.begin() { folding.fold() } else { 0 };
        let mut tokens = [Token::EMPTY; MOST];
        tokens.copy_from_slice(&folding.tokens[..MOST]);
        let Tokenizer { tokens: read, depends_on_dialect, .. } = folding.tokenizer;
        Self { tokens, length: length.min(MOST), read, depends_on_dialect }
    }

    pub(super) fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get(..self.length).unwrap_or_default()
    }
}

/// What became of the tokens that were looked at.
#[derive(PartialEq, Eq)]
enum Outcome {
    /// They are fewer or others: look again.
    Folded,
    /// No rule is about them.
    Kept,
    /// They tell an attack by themselves.
    Evil,
}

struct Folding<'a> {
    tokenizer: Tokenizer<'a>,
    /// One more than is needed: it tells what the one before it is.
    tokens: [Token<'a>; MOST + 1],
    /// Where the next token goes.
    end: usize,
    /// How many tokens are done with.
    left: usize,
    /// The first token that is not what it was when it was looked at.
    changed: usize,
    /// Whether there may be more to read.
    more: bool,
    /// A comment behind the last token.
    comment: Option<Token<'a>>,
}

impl<'a> Folding<'a> {
    /// Takes the first token that is neither comment, bracket, type nor sign.
    fn begin(&mut self) -> bool {
        const SKIPPED: Kinds = Kinds::of(&[Kind::Comment, Kind::LeftParenthesis, Kind::SqlType]);
        while let Some(token) = self.tokenizer.next() {
            if !token.kind.is_in(SKIPPED) && !token.is_unary() {
                self.tokens[0] = token;
                self.end = 1;
                return true;
            }
        }
        false
    }

    /// Folds all tokens, and says how many are left.
    fn fold(&mut self) -> usize {
        loop {
            if self.end >= MOST && self.is_one_value() {
                if self.end > MOST {
                    self.tokens[1] = self.tokens[MOST];
                    self.end = 2;
                } else {
                    self.end = 1;
                }
                self.left = 0;
                self.changed = usize::MAX;
            }
            if !self.more || self.left >= MOST {
                break;
            }
            if !self.has(2) {
                self.left = self.end;
                continue;
            }
            match self.pair() {
                Outcome::Folded => continue,
                Outcome::Evil => return 1,
                Outcome::Kept => {}
            }
            if !self.has(3) {
                self.left = self.end;
            } else if self.triple() == Outcome::Kept {
                self.left += 1;
            }
        }
        if let (Some(comment), Some(token)) = (self.comment, self.tokens.get_mut(self.end))
            && self.end < MOST
        {
            *token = comment;
            self.end += 1;
        }
        self.end
    }

    /// Reads until there are some tokens to look at, as long as there are any and room for them.
    #[inline]
    fn has(&mut self, count: usize) -> bool {
        while self.more && self.end - self.left < count {
            let Some(place) = self.tokens.get_mut(self.end) else { break };
            match self.tokenizer.next() {
                Some(token) if token.kind == Kind::Comment => self.comment = Some(token),
                Some(token) => {
                    *place = token;
                    self.end += 1;
                    self.comment = None;
                }
                None => self.more = false,
            }
        }
        self.end - self.left >= count
    }

    /// Whether five tokens are as good as the first one, as `1 + (1)`.
    fn is_one_value(&self) -> bool {
        use Kind::{
            Bareword as Name, Comma, LeftParenthesis as Open, Number, Operator, RightParenthesis as Close,
        };
        matches!(
            [0, 1, 2, 3, 4].map(|at: usize| self.tokens[at].kind),
            [Number, Operator | Comma, Open, Number, Close]
                | [Name, Operator, Open, Name | Number, Close]
                | [Number, Close, Comma, Open, Number]
                | [Name, Close, Operator, Open, Name]
        )
    }

    /// Looks at the tokens again from the first one on.
    ///
    /// What no rule was about before, none is about now, unless it changed: looking begins where the tokens in view
    /// reach the first change. Or else every fold would cost a look at all tokens before it.
    fn again(&mut self) -> Outcome {
        self.left = self.left.min(self.changed.min(self.end).saturating_sub(2));
        self.changed = usize::MAX;
        Outcome::Folded
    }

    fn change(&mut self, at: usize, token: Token<'a>) {
        self.tokens[at] = token;
        self.changed = self.changed.min(at);
    }

    fn becomes(&mut self, at: usize, kind: Kind) {
        self.change(at, Token { kind, ..self.tokens[at] });
    }

    /// Takes tokens away from the end.
    fn shorten(&mut self, count: usize) {
        self.end -= count;
        self.changed = self.changed.min(self.end);
    }

    fn drop(&mut self, count: usize) -> Outcome {
        self.shorten(count);
        self.again()
    }

    /// Takes the second token of three away, and others from the end.
    fn drop_second(&mut self, count: usize) -> Outcome {
        self.change(self.left + 1, self.tokens[self.left + 2]);
        self.drop(count)
    }

    /// The rules about two tokens.
    fn pair(&mut self) -> Outcome {
        let (one, other) = (self.left, self.left + 1);
        let [kind, next] = [one, other].map(|at| self.tokens[at].kind);
        let is_operator = matches!(kind, Kind::Operator | Kind::LogicOperator);
        if is_operator && (next == Kind::SqlType || self.tokens[other].is_unary()) {
            return self.drop(1);
        }
        if kind.is_in(FIRST_WORDS) && next.is_in(LAST_WORDS) && self.is_phrase() {
            return Outcome::Folded;
        }
        match (kind, next) {
            (Kind::String, Kind::String) | (Kind::Semicolon, Kind::Semicolon) => {
                self.shorten(1);
                return Outcome::Folded;
            }
            (Kind::LeftParenthesis, Kind::Operator) if self.tokens[other].is_unary() => {
                self.shorten(1);
                self.left = self.left.saturating_sub(1);
                return Outcome::Folded;
            }
            // What is a function elsewhere is a statement of Transact-SQL.
            (Kind::Semicolon, Kind::Function) if self.tokens[other].begins_with(b"IF") => {
                self.becomes(other, Kind::TransactSql);
                return Outcome::Folded;
            }
            (Kind::Bareword | Kind::Variable, Kind::LeftParenthesis)
                if self.tokens[one].is_one_of(&FUNCTIONS) =>
            {
                self.becomes(one, Kind::Function);
                return Outcome::Folded;
            }
            (Kind::Keyword, next) if self.tokens[one].is_one_of(&[b"IN", b"NOT IN"]) => {
                let is_list = next == Kind::LeftParenthesis;
                self.becomes(one, if is_list { Kind::Operator } else { Kind::Bareword });
                return Outcome::Folded;
            }
            (Kind::Operator, Kind::LeftParenthesis | Kind::RightBrace)
                if self.tokens[one].is_one_of(&[b"LIKE", b"NOT LIKE"]) =>
            {
                if next == Kind::LeftParenthesis {
                    self.becomes(one, Kind::Function);
                }
            }
            (Kind::SqlType, next) if next.is_in(TYPED) => {
                self.change(one, self.tokens[other]);
                return self.drop(1);
            }
            // There are too many collations to know them all.
            (Kind::Collate, Kind::Bareword) => {
                let text = self.tokens[other].text;
                if text.split(|byte| *byte == 0).next().is_some_and(|name| name.contains(&b'_')) {
                    self.becomes(other, Kind::SqlType);
                    self.again();
                }
            }
            // To Transact-SQL, `\%1` is `0 % 1`.
            (Kind::Backslash, _) if self.tokens[other].is_arithmetic() => {
                self.becomes(one, Kind::Number);
                return self.again();
            }
            (Kind::Backslash, _) => {
                self.change(one, self.tokens[other]);
                return self.drop(1);
            }
            (Kind::LeftParenthesis, Kind::LeftParenthesis)
            | (Kind::RightParenthesis, Kind::RightParenthesis) => {
                return self.drop(1);
            }
            // Of ``{``.``.id}``, which MySQL takes, the tokens in view do not tell enough.
            (Kind::LeftBrace, Kind::Bareword) if self.tokens[other].text.is_empty() => {
                self.tokens[0].kind = Kind::Evil;
                return Outcome::Evil;
            }
            // `{name expression}` of ODBC.
            (Kind::LeftBrace, Kind::Bareword) => return self.drop(2),
            (_, Kind::RightBrace) => return self.drop(1),
            _ => {}
        }
        Outcome::Kept
    }

    /// Makes one token of two words that are a phrase, as `UNION ALL`.
    fn is_phrase(&mut self) -> bool {
        let [one, other] = [self.left, self.left + 1].map(|at| self.tokens[at]);
        let Some((text, kind)) = vocabulary::phrase(one.text, other.text) else { return false };
        self.change(self.left, Token { kind, text, ..one });
        self.shorten(1);
        self.left = self.left.saturating_sub(1);
        true
    }

    /// The rules about three tokens.
    fn triple(&mut self) -> Outcome {
        let [one, two, three] = [0, 1, 2].map(|at| self.tokens[self.left + at].kind);
        let is_folded = match (one, two) {
            (Kind::Operator, two) => two != Kind::LeftParenthesis && three == Kind::Operator,
            (Kind::LogicOperator, _) => three == Kind::LogicOperator,
            (Kind::Number | Kind::Bareword | Kind::Variable | Kind::String, Kind::Operator) => {
                (three.is_in(NAMES) && one != Kind::String)
                    || (three == Kind::Variable && one == Kind::Variable)
                    || (three == Kind::SqlType && self.tokens[self.left + 1].text == b"::")
            }
            (one, Kind::Comma) if one.is_in(VALUES) => three.is_in(VALUES),
            (Kind::Bareword, Kind::Dot) => three == Kind::Bareword,
            (Kind::Expression, Kind::Dot) if three == Kind::Bareword => return self.drop_second(1),
            (Kind::Function, Kind::LeftParenthesis) => {
                if three != Kind::RightParenthesis && self.tokens[self.left].is(b"USER") {
                    self.becomes(self.left, Kind::Bareword);
                }
                false
            }
            (one, Kind::Operator) if one.is_in(BEFORE_SIGN) && self.tokens[self.left + 1].is_unary() => {
                return self.sign(one, three);
            }
            _ => false,
        };
        if is_folded { self.drop(2) } else { Outcome::Kept }
    }

    /// A sign says nothing where no value is before it.
    fn sign(&mut self, before: Kind, behind: Kind) -> Outcome {
        let is_value = behind.is_in(VALUES);
        match before {
            _ if before.is_in(BEFORE_PARENTHESIS) && behind == Kind::LeftParenthesis => self.drop_second(1),
            _ if before.is_in(BEFORE_VALUE) && (is_value || behind == Kind::Function) => self.drop_second(1),
            // `, -1` is `, 1`: the value before the comma is to be looked at again.
            Kind::Comma if is_value => self.drop_second(3),
            Kind::Comma if behind == Kind::Function => self.drop_second(1),
            _ => Outcome::Kept,
        }
    }
}

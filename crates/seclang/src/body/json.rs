//! JSON (RFC 8259) as arguments with the names that the reference gives: `json.user.name`, `json.items.array_0.id`.
//!
//! A member adds `.name` to the path, an element `.array_` and its place; a name that is empty reads `empty-key`, and a
//! value on its own is `json`. Numbers stay as they were written, `true` and `false` are words, `null` is empty; an
//! empty array or object has no argument. A name that is given twice has two arguments: which of them counts is the
//! application's secret, so both are inspected.
//!
//! This is a parser of its own because rules look at text: a number must not pass through a float, duplicates must not
//! be merged, and what stood before an error must be seen. It reads byte by byte with an explicit stack. Like the
//! reference it takes vertical tab and form feed for white space; unlike it, half a surrogate pair is `?` and never
//! swallows the character behind it.
//!
//! An array or object may follow another, with nothing but white space between: lines of JSON are sent as
//! `application/json` as well (Elasticsearch's `_bulk` by way of curl), and all of it is looked at. Anything else behind the
//! text is an error.

mod path;
mod string;

use super::{Arguments, BodyError, Limits};
use path::{Container, Path};
use string::{StringDecoder, Unreadable};

/// Reads a JSON text in pieces.
#[derive(Debug)]
pub struct Json {
    arguments: Arguments,
    limits: Limits,
    path: Path,
    expect: Expect,
    token: Token,
    string: StringDecoder,
    /// Bytes before the piece that is being read.
    offset: usize,
    error: Option<BodyError>,
}

/// What a JSON text held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedJson {
    /// One for each value that is neither an array nor an object.
    pub arguments: Arguments,
    /// Why the arguments may not be all. An empty body is no error.
    pub error: Option<BodyError>,
}

/// What may stand next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// The token that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Between,
    Name,
    String,
    /// What is left of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Number),
}

/// Where in a number: what has been read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

impl Json {
    /// Keeps and follows at most what `limits` say.
    pub fn new(limits: Limits) -> Self {
        Self {
            arguments: Arguments::new(limits),
            limits,
            path: Path::default(),
            expect: Expect::Value,
            token: Token::Between,
            string: StringDecoder::default(),
            offset: 0,
            error: None,
        }
    }

    /// The next piece of the body. After an error nothing more is read.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let mut at = 0;
        while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Ok(taken) => at += taken,
                Err(fault) => {
                    self.error = Some(self.refusal(&fault, self.offset + at));
                    self.arguments.abandon();
                    return;
                }
            }
        }
        self.offset += piece.len();
    }

    /// The end of the body.
    pub fn finish(mut self) -> ParsedJson {
        if self.error.is_none() && self.offset > 0 {
            // A number has no end of its own.
            self.feed(b" ");
            if self.error.is_none() && (self.expect != Expect::Nothing || self.token != Token::Between) {
                self.arguments.abandon();
                self.error =
                    Some(BodyError::Json { what: "the text ends too early", offset: self.offset - 1 });
            }
        }
        ParsedJson { arguments: self.arguments, error: self.error }
    }

    fn refusal(&self, fault: &Fault, offset: usize) -> BodyError {
        match *fault {
            Fault::Syntax(what) => BodyError::Json { what, offset },
            Fault::Text(Unreadable { what, at }) => BodyError::Json { what, offset: offset + at },
            Fault::Depth => BodyError::TooDeep { format: "JSON", limit: self.limits.depth },
            Fault::Size => BodyError::TooLarge { format: "JSON", limit: self.limits.bytes },
        }
    }

    /// Reads at least one byte, or ends a number without reading any.
    fn step(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let Some(byte) = rest.first().copied() else { return Ok(0) };
        match self.token {
            Token::Between => self.between(byte).map(|()| 1),
            Token::Name | Token::String => self.inside_string(rest),
            Token::Word(left) => self.inside_word(left, byte).map(|()| 1),
            Token::Number(number) => self.inside_number(number, byte),
        }
    }

    fn between(&mut self, byte: u8) -> Result<(), Fault> {
        match (byte, self.expect) {
            (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => Ok(()),
            (b'{' | b'[', Expect::Nothing) => {
                self.path = Path::default();
                self.begin_value(byte)
            }
            (_, Expect::Nothing) => Err(Fault::Syntax("more follows after the value")),
            (b'"', Expect::Name | Expect::NameOrEnd) => {
                self.path.begin_name();
                self.token = Token::Name;
                Ok(())
            }
            (b'}', Expect::NameOrEnd | Expect::CommaOrEnd) => self.close(Container::Object),
            (_, Expect::Name | Expect::NameOrEnd) => Err(Fault::Syntax("a name in quotes is expected")),
            (b':', Expect::Colon) => {
                self.expect = Expect::Value;
                Ok(())
            }
            (_, Expect::Colon) => Err(Fault::Syntax("a colon is expected")),
            (b',', Expect::CommaOrEnd) => {
                self.expect = match self.path.innermost() {
                    Some(Container::Object) => Expect::Name,
                    _ => Expect::Value,
                };
                Ok(())
            }
            (b']', Expect::CommaOrEnd | Expect::ValueOrEnd) => self.close(Container::Array),
            (_, Expect::CommaOrEnd) => {
                Err(Fault::Syntax("a comma or the end of the array or object is expected"))
            }
            (_, Expect::Value | Expect::ValueOrEnd) => self.begin_value(byte),
        }
    }

    fn begin_value(&mut self, byte: u8) -> Result<(), Fault> {
        self.token = match byte {
            b'{' => return self.open(Container::Object),
            b'[' => return self.open(Container::Array),
            b'"' => Token::String,
            b't' => Token::Word(b"rue"),
            b'f' => Token::Word(b"alse"),
            b'n' => Token::Word(b"ull"),
            b'-' => Token::Number(Number::Minus),
            b'0' => Token::Number(Number::Zero),
            b'1'..=b'9' => Token::Number(Number::Integer),
            _ => return Err(Fault::Syntax("a value is expected")),
        };
        self.path.begin_value();
        self.arguments.append(self.path.name());
        self.arguments.end_name();
        match byte {
            b't' => self.arguments.append(b"true"),
            b'f' => self.arguments.append(b"false"),
            b'-' | b'0'..=b'9' => self.arguments.append(&[byte]),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, container: Container) -> Result<(), Fault> {
        if self.path.depth() >= self.limits.depth {
            return Err(Fault::Depth);
        }
        self.path.begin_value();
        self.path.open(container);
        self.expect = match container {
            Container::Object => Expect::NameOrEnd,
            Container::Array => Expect::ValueOrEnd,
        };
        Ok(())
    }

    fn close(&mut self, container: Container) -> Result<(), Fault> {
        if self.path.innermost() != Some(container) {
            return Err(Fault::Syntax("an array or object ends that is not open"));
        }
        let is_empty = matches!(self.expect, Expect::NameOrEnd | Expect::ValueOrEnd);
        self.path.close();
        if is_empty && self.path.depth() > 0 {
            // Its name would be seen by no rule, and names are what attacks on queries are made of: `{"$nin":[]}`.
            self.arguments.append(self.path.name());
            self.arguments.end_name();
            return self.leaf_ended();
        }
        self.value_ended();
        Ok(())
    }

    fn value_ended(&mut self) {
        self.token = Token::Between;
        self.expect = if self.path.depth() == 0 { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    /// Ends the argument of a value that has no elements.
    fn leaf_ended(&mut self) -> Result<(), Fault> {
        self.arguments.commit();
        self.value_ended();
        // A count that is too high only leaves arguments out, as in the reference; more bytes end the reading.
        if self.arguments.exceeded() && self.arguments.len() < self.limits.arguments {
            return Err(Fault::Size);
        }
        Ok(())
    }

    fn inside_string(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let (taken, ended) = match self.token {
            Token::Name => self.string.decode(rest, |piece| self.path.extend_name(piece)),
            _ => self.string.decode(rest, |piece| self.arguments.append(piece)),
        }
        .map_err(Fault::Text)?;
        if ended {
            if self.token == Token::Name {
                self.path.end_name();
                self.token = Token::Between;
                self.expect = Expect::Colon;
            } else {
                self.leaf_ended()?;
            }
        }
        Ok(taken)
    }

    fn inside_word(&mut self, left: &'static [u8], byte: u8) -> Result<(), Fault> {
        match left.split_first() {
            Some((expected, after)) if *expected == byte => {
                self.token = Token::Word(after);
                if after.is_empty() { self.leaf_ended() } else { Ok(()) }
            }
            _ => Err(Fault::Syntax("a word other than `true`, `false` and `null`")),
        }
    }

    fn inside_number(&mut self, number: Number, byte: u8) -> Result<usize, Fault> {
        use Number::{Exponent, ExponentDigits, ExponentSign, Fraction, Integer, Minus, Point, Zero};
        let next = match (number, byte) {
            (Minus, b'0') => Zero,
            (Minus, b'1'..=b'9') | (Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => ExponentSign,
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => ExponentDigits,
            (Zero | Integer | Fraction | ExponentDigits, _) => return self.leaf_ended().map(|()| 0),
            _ => return Err(Fault::Syntax("a digit is expected")),
        };
        self.arguments.append(&[byte]);
        self.token = Token::Number(next);
        Ok(1)
    }
}

/// Why a step cannot be made.
enum Fault {
    Syntax(&'static str),
    Text(Unreadable),
    Depth,
    Size,
}

#[cfg(test)]
mod tests;

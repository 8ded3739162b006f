//! Reading a value as HTML does, token by token: the states are those of the HTML standard, section 13.2.5, where
//! browsers did not do otherwise.

use crate::byte_set::ByteSet;

/// Where in a page a value stands.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Text,
    /// Inside of a tag, before the name of an attribute.
    Tag,
    /// Inside of the value of an attribute, in quotation marks.
    Quoted(u8),
}

/// What can be told apart of a page. Text is not of interest.
pub(super) enum Token<'a> {
    TagName(&'a [u8]),
    AttributeName(&'a [u8]),
    AttributeValue(&'a [u8]),
    TagEnd,
    Comment(&'a [u8]),
    Doctype,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    Text,
    BeforeAttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    Quoted(u8),
    AfterQuoted,
    Slash,
    TagEnd,
    End,
}

/// White space; Internet Explorer took NUL bytes for it.
const SPACE: ByteSet = ByteSet::of(b"\0\t\n\x0b\x0c\r ");

const TAG_NAME_ENDS: ByteSet = ByteSet::of(b"\t\n\x0b\x0c\r />");
const ATTRIBUTE_NAME_ENDS: ByteSet = ByteSet::of(b"\0\t\n\x0b\x0c\r />=");
const VALUE_ENDS: ByteSet = ByteSet::of(b"\0\t\n\x0b\x0c\r >");

/// libinjection takes this byte for the end of the value where white space may be.
const NO_MORE: u8 = 0xff;

/// A page that is being read.
pub(super) struct Html<'a> {
    rest: &'a [u8],
    state: State,
    /// Whether the tag is one that closes another.
    closes: bool,
}

impl<'a> Iterator for Html<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        match self.state {
            State::Text => self.text(),
            State::BeforeAttributeName => self.before_attribute_name(),
            State::AfterAttributeName => self.after_attribute_name(),
            State::BeforeAttributeValue => self.before_attribute_value(),
            State::Quoted(quote) => self.quoted(quote),
            State::AfterQuoted => self.after_quoted(),
            State::Slash => self.slash(),
            State::TagEnd => {
                self.closes = false;
                self.tag_end(1)
            }
            State::End => None,
        }
    }
}

impl<'a> Html<'a> {
    pub(super) fn new(value: &'a [u8], place: Place) -> Self {
        let state = match place {
            Place::Text => State::Text,
            Place::Tag => State::BeforeAttributeName,
            Place::Quoted(quote) => State::Quoted(quote),
        };
        Self { rest: value, state, closes: false }
    }

    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    /// Takes what is before a place, and what is there.
    fn take(&mut self, length: usize, end: usize) -> &'a [u8] {
        let taken = self.rest.get(..length).unwrap_or(self.rest);
        self.skip(length + end);
        taken
    }

    fn take_all(&mut self) -> &'a [u8] {
        self.state = State::End;
        std::mem::take(&mut self.rest)
    }

    fn skip_space(&mut self) {
        let space = self.rest.iter().position(|byte| !SPACE.contains(*byte));
        self.skip(space.unwrap_or(self.rest.len()));
    }

    fn tag_end(&mut self, length: usize) -> Option<Token<'a>> {
        self.skip(length);
        self.state = State::Text;
        Some(Token::TagEnd)
    }

    /// Text, up to what is markup.
    fn text(&mut self) -> Option<Token<'a>> {
        loop {
            let start = memchr::memchr(b'<', self.rest)?;
            self.skip(start + 1);
            match self.rest.first()? {
                b'!' => {
                    self.skip(1);
                    if let Some(token) = self.declaration() {
                        return Some(token);
                    }
                }
                b'/' => match self.rest.get(1)? {
                    b'>' => {
                        self.closes = true;
                        self.skip(1);
                    }
                    letter if letter.is_ascii_alphabetic() => {
                        self.closes = true;
                        self.skip(1);
                        return Some(self.tag_name());
                    }
                    _ => {
                        self.closes = false;
                        self.skip(1);
                        return Some(self.comment_until(b">"));
                    }
                },
                b'?' => {
                    self.skip(1);
                    return Some(self.comment_until(b">"));
                }
                // Comments of Internet Explorer and Safari.
                b'%' => {
                    self.skip(1);
                    return Some(self.comment_until(b"%>"));
                }
                0 => return Some(self.tag_name()),
                letter if letter.is_ascii_alphabetic() => return Some(self.tag_name()),
                _ => {}
            }
        }
    }

    fn tag_name(&mut self) -> Token<'a> {
        let Some(end) = self.rest.iter().position(|byte| TAG_NAME_ENDS.contains(*byte)) else {
            return Token::TagName(self.take_all());
        };
        match self.rest.get(end) {
            Some(b'>') if self.closes => {
                self.skip(end + 1);
                self.closes = false;
                self.state = State::Text;
                Token::TagEnd
            }
            Some(b'>') => {
                self.state = State::TagEnd;
                Token::TagName(self.take(end, 0))
            }
            Some(b'/') => {
                self.state = State::Slash;
                Token::TagName(self.take(end, 1))
            }
            _ => {
                self.state = State::BeforeAttributeName;
                Token::TagName(self.take(end, 1))
            }
        }
    }

    /// Behind a slash within a tag, which may end the tag.
    fn slash(&mut self) -> Option<Token<'a>> {
        match self.rest.first()? {
            b'>' => self.tag_end(1),
            _ => self.before_attribute_name(),
        }
    }

    fn before_attribute_name(&mut self) -> Option<Token<'a>> {
        loop {
            self.skip_space();
            match self.rest {
                [] | [NO_MORE, ..] | [b'/'] => return None,
                [b'>', ..] => return self.tag_end(1),
                [b'/', b'>', ..] => return self.tag_end(2),
                [b'/', ..] => self.skip(1),
                _ => return Some(self.attribute_name()),
            }
        }
    }

    /// Whatever the first byte is, it belongs to the name.
    fn attribute_name(&mut self) -> Token<'a> {
        let behind_first = self.rest.get(1..).unwrap_or_default();
        let Some(end) = behind_first.iter().position(|byte| ATTRIBUTE_NAME_ENDS.contains(*byte)) else {
            return Token::AttributeName(self.take_all());
        };
        let (state, length) = match behind_first.get(end) {
            Some(b'=') => (State::BeforeAttributeValue, 1),
            Some(b'/') => (State::Slash, 1),
            Some(b'>') => (State::TagEnd, 0),
            _ => (State::AfterAttributeName, 1),
        };
        self.state = state;
        Token::AttributeName(self.take(end + 1, length))
    }

    fn after_attribute_name(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        match *self.rest.first()? {
            NO_MORE => None,
            b'/' => {
                self.skip(1);
                self.slash()
            }
            b'=' => {
                self.skip(1);
                self.before_attribute_value()
            }
            b'>' => {
                self.closes = false;
                self.tag_end(1)
            }
            _ => Some(self.attribute_name()),
        }
    }

    fn before_attribute_value(&mut self) -> Option<Token<'a>> {
        self.skip_space();
        match *self.rest.first()? {
            NO_MORE => None,
            // Backquotes are those of Internet Explorer.
            quote @ (b'"' | b'\'' | b'`') => {
                self.skip(1);
                self.quoted(quote)
            }
            _ => Some(self.unquoted()),
        }
    }

    fn quoted(&mut self, quote: u8) -> Option<Token<'a>> {
        Some(Token::AttributeValue(match memchr::memchr(quote, self.rest) {
            Some(end) => {
                self.state = State::AfterQuoted;
                self.take(end, 1)
            }
            None => self.take_all(),
        }))
    }

    fn unquoted(&mut self) -> Token<'a> {
        let Some(end) = self.rest.iter().position(|byte| VALUE_ENDS.contains(*byte)) else {
            return Token::AttributeValue(self.take_all());
        };
        let (state, length) = match self.rest.get(end) {
            Some(b'>') => (State::TagEnd, 0),
            _ => (State::BeforeAttributeName, 1),
        };
        self.state = state;
        Token::AttributeValue(self.take(end, length))
    }

    fn after_quoted(&mut self) -> Option<Token<'a>> {
        match self.rest.first()? {
            b'/' => {
                self.skip(1);
                self.slash()
            }
            b'>' => self.tag_end(1),
            _ => self.before_attribute_name(),
        }
    }

    /// Behind `<!`. Of character data nothing is of interest.
    fn declaration(&mut self) -> Option<Token<'a>> {
        let start = self.rest.get(..7).unwrap_or_default();
        if start.eq_ignore_ascii_case(b"DOCTYPE") {
            Some(Token::Doctype)
        } else if start == b"[CDATA[" {
            let end = memchr::memmem::find(self.rest, b"]]>").map_or(self.rest.len(), |end| end + 3);
            self.skip(end);
            None
        } else if self.rest.starts_with(b"--") {
            self.skip(2);
            Some(self.comment())
        } else {
            Some(self.comment_until(b">"))
        }
    }

    fn comment_until(&mut self, end: &[u8]) -> Token<'a> {
        Token::Comment(match memchr::memmem::find(self.rest, end) {
            Some(length) => {
                self.state = State::Text;
                self.take(length, end.len())
            }
            None => self.take_all(),
        })
    }

    /// A comment ends with `-->` or `-!>`, and there may be NUL bytes behind the first dash.
    fn comment(&mut self) -> Token<'a> {
        let end = memchr::memchr_iter(b'-', self.rest).find_map(|at| {
            let behind = self.rest.get(at + 1..)?;
            let nulls = behind.iter().take_while(|byte| **byte == 0).count();
            matches!(behind.get(nulls..), Some([b'-' | b'!', b'>', ..])).then_some((at, nulls + 3))
        });
        Token::Comment(match end {
            Some((at, length)) => {
                self.state = State::Text;
                self.take(at, length)
            }
            None => self.take_all(),
        })
    }
}

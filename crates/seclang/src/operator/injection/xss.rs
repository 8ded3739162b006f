//! Cross-site scripting, as libinjection knows it: by tags, attributes and comments that can run scripts.
//!
//! A value is read as HTML. As it is unknown where in a page the value will stand, it is read as text, as the inside of
//! a tag, and as the inside of an attribute's value in each kind of quotation mark.

mod danger;
mod html;

use danger::Attribute;
use html::{Html, Place, Token};

/// Whether a value would run as a script if it were put into a page.
pub(super) fn detect(value: &[u8]) -> bool {
    const PLACES: [Place; 5] =
        [Place::Text, Place::Tag, Place::Quoted(b'\''), Place::Quoted(b'"'), Place::Quoted(b'`')];
    PLACES.iter().any(|place| is_script(Html::new(value, *place)))
}

fn is_script(html: Html) -> bool {
    let mut attribute = Attribute::Harmless;
    for token in html {
        let of_attribute = std::mem::replace(&mut attribute, Attribute::Harmless);
        let is_dangerous = match token {
            Token::Doctype => true,
            Token::TagName(name) => danger::is_tag(name),
            Token::Comment(text) => danger::is_comment(text),
            Token::AttributeName(name) => {
                attribute = danger::attribute(name);
                false
            }
            Token::AttributeValue(value) => match of_attribute {
                Attribute::Harmless => false,
                Attribute::Script => true,
                Attribute::Url => danger::is_url(value),
                Attribute::NameOfAttribute => danger::attribute(value) != Attribute::Harmless,
            },
            Token::TagEnd => false,
        };
        if is_dangerous {
            return true;
        }
    }
    false
}

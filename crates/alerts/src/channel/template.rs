//! Any other call over HTTP: placeholders are filled in, each escaped for where it stands.

use bartizan_config::{CallTemplate, Escaping};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;

use super::{Call, NotDelivered};
use crate::Notice;

pub(super) fn call(template: &CallTemplate, notice: &Notice) -> Result<Call, NotDelivered> {
    let fill = |text: &str, escaping: Escaping| {
        let value = |name: &str| {
            let secret = template.secret.as_ref().filter(|_| name == "secret");
            let text =
                secret.map_or_else(|| notice.placeholder(name), |secret| secret.expose_secret().to_owned());
            escaped(&text, escaping)
        };
        CallTemplate::fill(text, value)
            .map_err(|name| NotDelivered::for_good(format!("there is no placeholder `{{{name}}}`")))
    };
    let url = fill(&template.url, Escaping::Percent)?;
    let content = template.body.as_deref().map(|body| fill(body, template.escaping)).transpose()?;
    let mut call = Call { method: template.method.clone(), url, headers: http::HeaderMap::new(), content };
    for (name, value) in &template.headers {
        call.header(name.clone(), &fill(value, Escaping::Plain)?, value.contains("{secret}"))?;
    }
    Ok(call)
}

/// A value that cannot be anything but a value where it stands.
fn escaped(text: &str, escaping: Escaping) -> String {
    match escaping {
        Escaping::Json => {
            let quoted = serde_json::Value::from(text).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        Escaping::Percent => utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        Escaping::Markup => {
            let mut markup = String::with_capacity(text.len());
            for character in text.chars() {
                match character {
                    '&' => markup.push_str("&amp;"),
                    '<' => markup.push_str("&lt;"),
                    '>' => markup.push_str("&gt;"),
                    '"' => markup.push_str("&quot;"),
                    '\'' => markup.push_str("&#39;"),
                    character if character.is_control() => markup.push(' '),
                    character => markup.push(character),
                }
            }
            markup
        }
        Escaping::Plain => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_strangers_stay_values() {
        let evil = "\"}, \"x\": {\"\r\nBcc: eve@shop.test & <script>'";
        let json = format!("{{\"text\": \"{}\"}}", escaped(evil, Escaping::Json));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["text"], evil);
        let percent = escaped(evil, Escaping::Percent);
        assert!(!percent.contains(['&', '=', '\r', '\n', '"', ' ', '<']), "{percent}");
        let markup = escaped(evil, Escaping::Markup);
        assert!(!markup.contains(['<', '>', '"', '\'', '\r', '\n']), "{markup}");
        let plain = escaped(evil, Escaping::Plain);
        assert!(!plain.contains(['\r', '\n']), "{plain}");
    }
}

//! Server-sent events of the admin API, from one stream after the other. A stream that ends, as each does with the life of
//! its connection, is taken up behind the last message that was seen.

use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Response;
use serde_json::Value;
use tokio::time::sleep;

use crate::admin::{AdminClient, Refused};

/// Before a stream is asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest line of a stream: what is sent is far shorter.
const LONGEST: usize = 4 * 1024 * 1024;

/// Shows every message of the stream at `path`, until that fails or the process ends. `begin` is called once there is one.
pub(crate) async fn follow(
    client: &AdminClient,
    path: &str,
    query: &[(&'static str, String)],
    begin: impl FnOnce() -> Result<()>,
    mut show: impl FnMut(&Value) -> Result<()>,
) -> Result<()> {
    let mut last = None;
    let mut response = client.stream(path, query, None).await?;
    begin()?;
    loop {
        read(response, &mut show, &mut last).await?;
        // The gateway may be starting again: whoever follows waits for it, and ends it himself.
        response = loop {
            sleep(PAUSE).await;
            match client.stream(path, query, last.as_deref()).await {
                Ok(response) => break response,
                Err(error) if error.is::<Refused>() => return Err(error),
                Err(_) => {}
            }
        };
    }
}

/// Shows what a stream sends until it ends, and notes the last id.
async fn read(
    mut response: Response,
    show: &mut impl FnMut(&Value) -> Result<()>,
    last: &mut Option<String>,
) -> Result<()> {
    let mut message = Message::default();
    let mut bytes: Vec<u8> = Vec::new();
    // However a stream ends, it is taken up again.
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some((id, event)) = message.line(line.trim_end_matches(['\r', '\n'])) {
                event.map(|event| show(&event)).transpose()?;
                *last = Some(id);
            }
        }
        if bytes.len() > LONGEST {
            bail!("what the gateway sends is no stream of events");
        }
    }
    Ok(())
}

/// A message as its lines come (WHATWG HTML, "Interpreting an event stream").
#[derive(Debug, Default)]
struct Message {
    id: String,
    data: String,
}

impl Message {
    /// The message that ends with this line, if one does: its id, and the event, which the first has not.
    fn line(&mut self, line: &str) -> Option<(String, Option<Value>)> {
        if line.is_empty() {
            let Self { id, data } = std::mem::take(self);
            return (!id.is_empty()).then(|| (id, serde_json::from_str(&data).ok()));
        }
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.id),
            "data" => self.data.push_str(value),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_put_together_from_their_lines() {
        let mut message = Message::default();
        let lines =
            ["id: 6", "", ": quiet", "", "id: 7", "data: {\"a\":", "data:1}", "", "id: 8", "data: {}", ""];
        let messages: Vec<_> = lines.into_iter().filter_map(|line| message.line(line)).collect();
        let expected = [("6", None), ("7", Some(json!({ "a": 1 }))), ("8", Some(json!({})))]
            .map(|(id, event)| (id.to_owned(), event));
        assert_eq!(messages, expected);
    }
}

//! What a request hands over.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::Transaction;
use crate::{
    Interruption,
    ast::{BodyProcessor, EngineMode, Variable},
    body::{Arguments, Limits, cookies},
    evaluate::State,
    values::Entry,
};

impl Transaction {
    /// The request line: `GET`, `/path?query` as it stands on the wire, `HTTP/1.1`.
    pub fn request_line(&mut self, method: &[u8], target: &[u8], protocol: &[u8]) {
        self.state.set_request_line(&self.rules.settings, method, target, protocol);
    }

    /// One header of the request, in the order in which they came.
    pub fn request_header(&mut self, name: &[u8], value: &[u8]) {
        let state = &mut self.state;
        state.add_header([Variable::RequestHeaders, Variable::RequestHeadersNames], name, value);
        if name.eq_ignore_ascii_case(b"cookie") {
            let settings = &self.rules.settings;
            // Cookies beyond a limit would be seen by the application and not by rules; headers have limits of their own.
            let limits = Limits { arguments: usize::MAX, bytes: usize::MAX, ..settings.limits };
            let cookies = cookies(value, settings.cookie_format, limits);
            state.add_named(&cookies, [Variable::RequestCookies, Variable::RequestCookiesNames]);
        }
        if name.eq_ignore_ascii_case(b"host") {
            state.values.set(Variable::ServerName, host(value), &mut state.buffers);
        }
        if name.eq_ignore_ascii_case(b"authorization") {
            let (scheme, user) = authorization(value);
            state.values.set(Variable::AuthType, scheme, &mut state.buffers);
            if let Some(user) = user {
                state.values.set(Variable::RemoteUser, &user, &mut state.buffers);
            }
        }
        if name.eq_ignore_ascii_case(b"content-type")
            && let Some(processor) = processor(value)
        {
            state.choose_processor(processor);
        }
    }

    /// Whether the body is to be handed over: rules see it.
    pub fn wants_request_body(&self) -> bool {
        self.state.interruption.is_none() && self.state.mode != EngineMode::Off && self.sees_request_body()
    }

    /// A piece of the request's body.
    pub fn request_body(&mut self, piece: &[u8]) -> Option<&Interruption> {
        if self.wants_request_body() {
            let settings = self.rules.settings.request_body;
            if self.request_body.append(piece, settings) {
                self.state.values.set(Variable::InboundDataError, b"1", &mut self.state.buffers);
                self.state.refuse_body(settings, 413);
            }
        }
        self.interruption()
    }

    pub(super) fn sees_request_body(&self) -> bool {
        self.state.controls.request_body_access.unwrap_or(self.rules.settings.request_body.access)
    }
}

impl State {
    pub(super) fn add_header(&mut self, [values, names]: [Variable; 2], name: &[u8], value: &[u8]) {
        let name = self.buffers.push_name(name);
        let value = self.buffers.push(value);
        self.add_entry(values, names, Entry { name, value });
    }

    fn add_entry(&mut self, values: Variable, names: Variable, entry: Entry) {
        self.values.add(values, entry);
        let name = self.buffers.push_span(entry.name);
        self.values.add(names, Entry { name: entry.name, value: name });
    }

    pub(super) fn add_named(&mut self, arguments: &Arguments, [values, names]: [Variable; 2]) {
        for (name, value) in arguments.iter() {
            self.add_header([values, names], name, value);
        }
    }

    /// Arguments of the query or of the body, which are also among all arguments.
    pub(super) fn add_arguments(&mut self, arguments: &Arguments, [values, names]: [Variable; 2]) {
        for (name, value) in arguments.iter() {
            let entry =
                Entry { name: self.buffers.push_name(name), value: self.buffers.push_one_of_many(value) };
            let name = Entry { name: entry.name, value: self.buffers.push_span(entry.name) };
            for (variable, entry) in
                [(values, entry), (Variable::Args, entry), (names, name), (Variable::ArgsNames, name)]
            {
                self.values.add(variable, entry);
            }
        }
        self.arguments_size += arguments.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    }

    /// What reads the body, and what rules are told about it.
    pub(crate) fn choose_processor(&mut self, processor: BodyProcessor) {
        self.controls.processor = Some(processor);
        self.values.set(Variable::ReqbodyProcessor, processor.name().as_bytes(), &mut self.buffers);
    }

    /// What is known once all headers are there.
    pub(super) fn finish_request_headers(&mut self) {
        let size = self.arguments_size.to_string();
        self.values.set(Variable::ArgsCombinedSize, size.as_bytes(), &mut self.buffers);
    }
}

/// What reads a body of this type, if the type alone says so; others are chosen by rules.
fn processor(content_type: &[u8]) -> Option<BodyProcessor> {
    let starts = |prefix: &[u8]| {
        content_type.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if starts(b"multipart/form-data") {
        Some(BodyProcessor::Multipart)
    } else if starts(b"application/x-www-form-urlencoded") {
        Some(BodyProcessor::UrlEncoded)
    } else {
        None
    }
}

/// A `Host` without its port.
fn host(value: &[u8]) -> &[u8] {
    if value.starts_with(b"[") {
        return memchr::memchr(b']', value).and_then(|end| value.get(..=end)).unwrap_or(value);
    }
    value.split(|byte| *byte == b':').next().unwrap_or(value)
}

/// The scheme of an `Authorization`, and the user that `Basic` names: whoever the client says it is (RFC 7617).
fn authorization(value: &[u8]) -> (&[u8], Option<Vec<u8>>) {
    let mut words = value.splitn(2, |byte| *byte == b' ');
    let (scheme, credentials) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let decoded = scheme.eq_ignore_ascii_case(b"basic").then(|| STANDARD.decode(credentials.trim_ascii()));
    let user = decoded.and_then(Result::ok).filter(|pair| !pair.is_empty()).map(|mut pair| {
        let end = memchr::memchr(b':', &pair).unwrap_or(pair.len());
        pair.truncate(end);
        pair
    });
    (scheme, user)
}

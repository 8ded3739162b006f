//! What a response hands over.

use super::{Transaction, body::Body};
use crate::{
    Interruption,
    ast::{EngineMode, Variable},
    evaluate::State,
};

impl Transaction {
    /// The status line: 200, `HTTP/1.1`.
    pub fn response_line(&mut self, status: u16, protocol: &[u8]) {
        let status = status.to_string();
        let state = &mut self.state;
        for variable in [Variable::ResponseStatus, Variable::Status] {
            state.values.set(variable, status.as_bytes(), &mut state.buffers);
        }
        state.values.set(Variable::ResponseProtocol, protocol, &mut state.buffers);
        let line = [protocol, status.as_bytes()].join(&b' ');
        state.values.set(Variable::StatusLine, &line, &mut state.buffers);
    }

    /// One header of the response, in the order in which they came.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) {
        let state = &mut self.state;
        state.add_header([Variable::ResponseHeaders, Variable::ResponseHeadersNames], name, value);
        if name.eq_ignore_ascii_case(b"content-type") {
            let kind = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            state.values.set(Variable::ResponseContentType, kind, &mut state.buffers);
        }
    }

    /// Whether the body is to be handed over: rules see it, and its type is one of those that they look at.
    pub fn wants_response_body(&self) -> bool {
        let settings = &self.rules.settings;
        let access = self.state.controls.response_body_access.unwrap_or(settings.response_body.access);
        let content_type = self.state.values.of(Variable::ResponseContentType).first();
        let content_type =
            content_type.map(|entry| self.state.buffers.bytes(entry.value)).unwrap_or_default();
        access
            && self.state.mode != EngineMode::Off
            && self.state.interruption.is_none()
            && settings.selects_type(content_type)
    }

    /// A piece of the response's body.
    pub fn response_body(&mut self, piece: &[u8]) -> Option<&Interruption> {
        if self.wants_response_body() {
            let settings = self.rules.settings.response_body;
            if self.response_body.append(piece, settings) {
                self.state.values.set(Variable::OutboundDataError, b"1", &mut self.state.buffers);
                self.state.refuse_body(settings, 500);
            }
        }
        self.interruption()
    }
}

impl State {
    pub(super) fn finish_response_body(&mut self, body: Body) {
        let body = body.into_bytes();
        let length = body.len().to_string();
        self.values.set(Variable::ResponseContentLength, length.as_bytes(), &mut self.buffers);
        self.values.set(Variable::ResponseBody, &body, &mut self.buffers);
    }
}

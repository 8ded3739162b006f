//! Bodies: collected up to a limit, then read by their processor.

use crate::{
    Disruption, Interruption, RuleSet,
    ast::{BodyLimitAction, BodyProcessor, EngineMode, Variable},
    body::{BodyError, Json, Limits, Multipart, MultipartFlags, ParsedMultipart, ParsedXml, Urlencoded},
    buffers::Span,
    evaluate::State,
    settings::{BodySettings, Settings},
    values::Entry,
};

/// The bytes of a body, as far as rules see them.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
    exceeded: bool,
}

impl Body {
    /// Adds a piece; whether the body is now longer than its limit.
    pub(super) fn append(&mut self, piece: &[u8], settings: BodySettings) -> bool {
        let room = settings.limit.saturating_sub(self.bytes.len());
        self.exceeded |= piece.len() > room;
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.exceeded
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// How some editors begin a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether the first byte that is no white space begins an object or an array.
fn begins_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    // As the processor: vertical tab and form feed are white space.
    let mut bytes = body.iter().skip_while(|byte| matches!(byte, b'\t'..=b'\r' | b' '));
    matches!(bytes.next(), Some(b'{' | b'['))
}

/// What is wrong with a body, as `REQBODY_ERROR_MSG` says it.
type Fault = Option<String>;

impl State {
    /// Ends the exchange because of a body above its limit, where the settings say so.
    pub(super) fn refuse_body(&mut self, settings: BodySettings, status: u16) {
        if settings.beyond_limit == BodyLimitAction::Reject
            && self.mode == EngineMode::On
            && !self.objections.iter().any(|objection| objection.status == status && objection.rule.is_none())
        {
            self.refuse(Interruption { rule: None, status, action: Disruption::Deny });
        }
    }

    /// Reads the request's body, and sets everything that rules ask about it.
    pub(super) fn finish_request_body(&mut self, rules: &RuleSet, body: Body, access: bool) {
        let RuleSet { settings, mentioned, .. } = rules;
        let body = body.into_bytes();
        let fault = if access { self.read_body(settings, &body) } else { None };
        // What rules do not see of the query is as bad as what they do not see of the body.
        let fault = fault.or_else(|| self.query_exceeded.then(too_many));
        let unread =
            fault.is_some() || matches!(self.controls.processor, None | Some(BodyProcessor::UrlEncoded));
        let flag: &[u8] = if fault.is_some() { b"1" } else { b"0" };
        let message = fault.unwrap_or_default();
        for variable in [Variable::ReqbodyError, Variable::ReqbodyProcessorError] {
            self.values.set(variable, flag, &mut self.buffers);
        }
        for variable in [Variable::ReqbodyErrorMsg, Variable::ReqbodyProcessorErrorMsg] {
            self.values.set(variable, message.as_bytes(), &mut self.buffers);
        }
        let size = self.arguments_size.to_string();
        self.values.set(Variable::ArgsCombinedSize, size.as_bytes(), &mut self.buffers);
        if mentioned.mentions(Variable::FullRequest) || mentioned.mentions(Variable::FullRequestLength) {
            self.set_full_request(&body);
        }
        if !body.is_empty() {
            let length = body.len().to_string();
            self.values.set(Variable::RequestBodyLength, length.as_bytes(), &mut self.buffers);
            // As in ModSecurity 2: what became arguments, fields or a document is not looked at once more.
            if unread || self.controls.force_request_body_variable {
                self.values.set(Variable::RequestBody, &body, &mut self.buffers);
            }
        }
    }

    fn read_body(&mut self, settings: &Settings, body: &[u8]) -> Fault {
        let limits = settings.limits;
        let processor = self.controls.processor;
        if body.len() > settings.no_files_limit && !matches!(processor, None | Some(BodyProcessor::Multipart))
        {
            self.values.set(Variable::InboundDataError, b"1", &mut self.buffers);
            return Some("Request body excluding files is bigger than the maximum expected.".to_owned());
        }
        let fault = self.read_by_processor(settings, body);
        let is_known = matches!(processor, Some(BodyProcessor::Json | BodyProcessor::Xml));
        if fault.is_none() && self.controls.detect_json && !is_known && begins_like_json(body) {
            return self.read_undeclared_json(limits, body);
        }
        fault
    }

    fn read_by_processor(&mut self, settings: &Settings, body: &[u8]) -> Fault {
        let limits = settings.limits;
        match self.controls.processor {
            Some(BodyProcessor::UrlEncoded) => self.read_form(settings, body),
            Some(BodyProcessor::Json) => self.read_json(limits, body),
            Some(BodyProcessor::Xml) => self.read_xml(limits, body),
            Some(BodyProcessor::Multipart) => self.read_multipart(limits, body),
            None => None,
        }
    }

    fn read_form(&mut self, settings: &Settings, body: &[u8]) -> Fault {
        let mut form = Urlencoded::new(settings.separator, settings.limits);
        form.feed(body);
        let form = form.finish();
        if form.invalid_encoding {
            self.values.set(Variable::UrlencodedError, b"1", &mut self.buffers);
        }
        self.add_arguments(&form.arguments, POST);
        form.arguments.exceeded().then(too_many)
    }

    fn read_json(&mut self, limits: Limits, body: &[u8]) -> Fault {
        let mut json = Json::new(limits.of_json(body.len()));
        json.feed(body);
        let json = json.finish();
        self.add_arguments(&json.arguments, POST);
        json.error.map(|error| error.to_string()).or_else(|| json.arguments.exceeded().then(too_many))
    }

    /// What nobody calls JSON may be something else that begins like it: as far as it is JSON it is looked at, and the rest
    /// as what it is called. What a limit hides is as bad as ever.
    fn read_undeclared_json(&mut self, limits: Limits, body: &[u8]) -> Fault {
        let mut json = Json::new(limits.of_json(body.len()));
        json.feed(body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body));
        let json = json.finish();
        self.add_arguments(&json.arguments, POST);
        let fault = json.error.filter(|error| !matches!(error, BodyError::Json { .. }));
        fault.map(|error| error.to_string()).or_else(|| json.arguments.exceeded().then(too_many))
    }

    fn read_xml(&mut self, limits: Limits, body: &[u8]) -> Fault {
        let xml = ParsedXml::of(body, limits);
        let mut add = |path: &[u8], value: &[u8]| {
            let entry = Entry { name: self.buffers.push_name(path), value: self.buffers.push(value) };
            self.values.add(Variable::Xml, entry);
        };
        xml.text.iter().for_each(|text| add(b"/*", text));
        xml.attributes.iter().for_each(|(_, value)| add(b"//@*", value));
        xml.error.map(|error| error.to_string()).or_else(|| xml.attributes.exceeded().then(too_many))
    }

    fn read_multipart(&mut self, limits: Limits, body: &[u8]) -> Fault {
        let headers = self.values.of(Variable::RequestHeaders);
        let content_type = headers
            .iter()
            .find(|entry| self.buffers.name(entry.name).eq_ignore_ascii_case(b"content-type"))
            .map(|entry| self.buffers.bytes(entry.value))
            .unwrap_or_default();
        let mut multipart = Multipart::new(content_type, limits);
        multipart.feed(body);
        let parsed = multipart.finish();
        self.add_arguments(&parsed.arguments, POST);
        self.set_files(&parsed);
        self.set_multipart_flags(&parsed.flags);
        let is_exceeded = parsed.exceeded();
        parsed.error.map(|error| error.to_string()).or_else(|| is_exceeded.then(too_many))
    }

    fn set_files(&mut self, parsed: &ParsedMultipart) {
        let (values, buffers) = (&mut self.values, &mut self.buffers);
        let mut add = |variable, name: &[u8], value: &[u8]| {
            let entry = Entry { name: buffers.push_name(name), value: buffers.push(value) };
            values.add(variable, entry);
        };
        for file in &parsed.files {
            add(Variable::Files, &file.name, &file.filename);
            add(Variable::FilesNames, &file.name, &file.name);
            add(Variable::FilesSizes, &file.name, file.size.to_string().as_bytes());
        }
        parsed.names.iter().for_each(|(name, _)| add(Variable::MultipartName, name, name));
        parsed.filenames.iter().for_each(|(name, _)| add(Variable::MultipartFilename, name, name));
        // A part's name stands once for all of its headers.
        let mut part: (&[u8], Span) = Default::default();
        for (name, line) in parsed.part_headers.iter() {
            if name != part.0 {
                part = (name, buffers.push_name(name));
            }
            let entry = Entry { name: part.1, value: buffers.push(line.trim_ascii_end()) };
            values.add(Variable::MultipartPartHeaders, entry);
        }
        let size = parsed.files_combined_size().to_string();
        values.set(Variable::FilesCombinedSize, size.as_bytes(), buffers);
    }

    fn set_multipart_flags(&mut self, flags: &MultipartFlags) {
        let mut set = |variable, flag: bool| {
            let flag: &[u8] = if flag { b"1" } else { b"0" };
            self.values.set(variable, flag, &mut self.buffers);
        };
        set(Variable::MultipartBoundaryQuoted, flags.boundary_quoted);
        set(Variable::MultipartBoundaryWhitespace, flags.boundary_whitespace);
        set(Variable::MultipartCrlfLfLines, flags.crlf_lf_lines);
        set(Variable::MultipartDataAfter, flags.data_after);
        set(Variable::MultipartDataBefore, flags.data_before);
        set(Variable::MultipartFileLimitExceeded, flags.file_limit_exceeded);
        set(Variable::MultipartHeaderFolding, flags.header_folding);
        set(Variable::MultipartInvalidHeaderFolding, flags.invalid_header_folding);
        set(Variable::MultipartInvalidPart, flags.invalid_part);
        set(Variable::MultipartInvalidQuoting, flags.invalid_quoting);
        set(Variable::MultipartLfLine, flags.lf_line);
        set(Variable::MultipartMissingSemicolon, flags.missing_semicolon);
        set(Variable::MultipartStrictError, flags.strict_error());
        let unmatched = (flags.unmatched_boundary as u8).to_string();
        self.values.set(Variable::MultipartUnmatchedBoundary, unmatched.as_bytes(), &mut self.buffers);
    }

    /// `FULL_REQUEST` repeats everything: it is put together only for rules that look at it.
    fn set_full_request(&mut self, body: &[u8]) {
        let mut full = Vec::new();
        for entry in self.values.of(Variable::RequestLine) {
            full.extend_from_slice(self.buffers.bytes(entry.value));
            full.push(b'\n');
        }
        for entry in self.values.of(Variable::RequestHeaders) {
            full.extend_from_slice(self.buffers.name(entry.name));
            full.extend_from_slice(b": ");
            full.extend_from_slice(self.buffers.bytes(entry.value));
            full.push(b'\n');
        }
        full.push(b'\n');
        full.extend_from_slice(body);
        let length = full.len().to_string();
        self.values.set(Variable::FullRequestLength, length.as_bytes(), &mut self.buffers);
        self.values.set(Variable::FullRequest, &full, &mut self.buffers);
    }
}

const POST: [Variable; 2] = [Variable::ArgsPost, Variable::ArgsPostNames];

fn too_many() -> String {
    "more arguments than the limit".to_owned()
}

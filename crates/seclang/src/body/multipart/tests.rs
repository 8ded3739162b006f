use proptest::prelude::*;

use super::{BodyError, Limits, Multipart, ParsedMultipart, UnmatchedBoundary};
use crate::body::{Arguments, ContentTypeFault as Fault, DispositionFault, PartHeaderFault};

const CONTENT_TYPE: &str = "multipart/form-data; boundary=B";

fn parse(content_type: &str, body: &[u8]) -> ParsedMultipart {
    let mut multipart = Multipart::new(content_type.as_bytes(), Limits::default());
    multipart.feed(body);
    multipart.finish()
}

/// One part with these headers and this content, between proper boundaries.
fn part(headers: &str, content: &str) -> String {
    format!("--B\r\n{headers}\r\n\r\n{content}\r\n--B--\r\n")
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn pairs(arguments: &Arguments) -> Vec<String> {
    arguments.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
}

fn names(arguments: &Arguments) -> Vec<String> {
    arguments.iter().map(|(name, _)| text(name)).collect()
}

fn files(parsed: &ParsedMultipart) -> Vec<String> {
    parsed
        .files
        .iter()
        .map(|file| format!("{}={} {}", text(&file.name), text(&file.filename), file.size))
        .collect()
}

/// The letters of the recommended configuration's message, and those of the variables beside it.
fn flags(parsed: &ParsedMultipart) -> String {
    let flags = &parsed.flags;
    let letters = [
        ("PE", flags.error),
        ("BQ", flags.boundary_quoted),
        ("BW", flags.boundary_whitespace),
        ("DB", flags.data_before),
        ("DA", flags.data_after),
        ("HF", flags.header_folding),
        ("LF", flags.lf_line),
        ("CL", flags.crlf_lf_lines),
        ("SM", flags.missing_semicolon),
        ("IQ", flags.invalid_quoting),
        ("IP", flags.invalid_part),
        ("IH", flags.invalid_header_folding),
        ("FL", flags.file_limit_exceeded),
        ("U1", flags.unmatched_boundary == UnmatchedBoundary::Suspected),
    ];
    let raised: Vec<&str> = letters.iter().filter(|(_, raised)| *raised).map(|(letter, _)| *letter).collect();
    let strict = raised.iter().any(|letter| !matches!(*letter, "CL" | "U1"));
    assert_eq!(flags.strict_error(), strict, "{raised:?}");
    raised.join(" ")
}

#[test]
fn what_browsers_and_tools_send() {
    let chrome = "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nfirst line\r\nsecond -- line\r\n\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"na\u{ef}ve \u{1f600}.png\"\r\nContent-Type: image/png\r\n\r\n\u{89}PNG\r\n\u{1a}\n\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: form-data; name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n";
    let parsed =
        parse("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", chrome.as_bytes());
    assert_eq!((parsed.error.clone(), flags(&parsed)), (None, String::new()));
    assert_eq!(pairs(&parsed.arguments), ["comment=first line\\r\\nsecond -- line\\r\\n", "none="]);
    assert_eq!(files(&parsed), [r"photo=na\xc3\xafve \xf0\x9f\x98\x80.png 9"]);
    assert_eq!(parsed.files_combined_size(), 9);
    assert_eq!(names(&parsed.names), ["comment", "photo", "none"]);
    assert_eq!(names(&parsed.filenames), [r"na\xc3\xafve \xf0\x9f\x98\x80.png", ""]);
    assert_eq!(
        pairs(&parsed.part_headers)[2..4],
        [
            r"photo=Content-Type: image/png\r\n",
            r#"none=Content-Disposition: form-data; name=\"none\"; filename=\"\"\r\n"#
        ]
    );

    let firefox = "-----------------------------735323031399963166993862150\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\ntext default\r\n-----------------------------735323031399963166993862150\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nContent of a.txt.\n\r\n-----------------------------735323031399963166993862150--\r\n";
    let parsed = parse(
        "multipart/form-data; boundary=---------------------------735323031399963166993862150",
        firefox.as_bytes(),
    );
    assert_eq!((parsed.error.clone(), flags(&parsed)), (None, String::new()));
    assert_eq!(
        (pairs(&parsed.arguments), files(&parsed)),
        (vec!["text=text default".into()], vec!["file=a.txt 18".into()])
    );

    let dotnet = "--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=file; filename=a.txt; filename*=utf-8''a.txt\r\n\r\nx\r\n--B--\r\n";
    let parsed = parse("multipart/form-data; boundary=\"B\"", dotnet.as_bytes());
    assert_eq!((parsed.error.clone(), flags(&parsed)), (None, "BQ".into()));
    assert_eq!(
        (files(&parsed), names(&parsed.filenames)),
        (vec!["file=a.txt 1".into()], vec!["a.txt".into()])
    );
}

/// RFC 7578 sections 4.3 and 5.2 in one.
#[test]
fn several_files_of_one_field_and_a_charset() {
    let body = "--AaB03x\r\nContent-Disposition: form-data; name=\"_charset_\"\r\n\r\niso-8859-1\r\n--AaB03x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"file1.txt\"\r\nContent-Type: text/plain\r\n\r\n...\r\n--AaB03x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"file2.gif\"\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: binary\r\n\r\nGIF89a\r\n--AaB03x--";
    let parsed = parse("multipart/form-data; boundary=AaB03x", body.as_bytes());
    assert_eq!((parsed.error.clone(), flags(&parsed)), (None, String::new()));
    assert_eq!(pairs(&parsed.arguments), ["_charset_=iso-8859-1"]);
    assert_eq!(files(&parsed), ["files=file1.txt 3", "files=file2.gif 6"]);
}

#[test]
fn content_types() {
    let long = format!("multipart/form-data; boundary={}", "B".repeat(1100));
    let cases: &[(&str, Option<Fault>, &str)] = &[
        ("multipart/form-data; boundary=B", None, ""),
        ("Multipart/Form-Data;boundary=B", None, ""),
        ("multipart/form-data; boundary=B; charset=utf-8", None, ""),
        ("multipart/form-data; boundary=B;", None, ""),
        ("multipart/form-data; boundary=B; a=boundary", None, ""),
        ("multipart/form-data; boundary=\"B\"", None, "BQ"),
        ("multipart/form-data; boundary=\"B;C\"", None, "BQ"),
        ("multipart/form-data; boundary =B", None, "BW"),
        ("multipart/form-data boundary=B", None, "SM"),
        ("", Some(Fault::NotMultipart), "PE"),
        ("multipart/mixed; boundary=B", Some(Fault::NotMultipart), "PE"),
        ("multipart/form-data", Some(Fault::BoundaryMissing), "PE"),
        ("multipart/form-data; BOUNDARY=B", Some(Fault::UnusualCase), "PE"),
        ("multipart/form-data; boundary=B; boundary=B", Some(Fault::SeveralBoundaries), "PE"),
        ("multipart/form-data; boundary=B; BOUNDARY=C", Some(Fault::SeveralBoundaries), "PE"),
        ("multipart/form-datax; boundary=B", Some(Fault::Malformed), "PE"),
        ("multipart/form-data;; boundary=B", Some(Fault::Malformed), "PE"),
        ("multipart/form-data; charset=utf-8; boundary=B", Some(Fault::Malformed), "PE"),
        ("multipart/form-data; boundary", Some(Fault::Malformed), "PE"),
        ("multipart/form-data; boundaryx=B", Some(Fault::Malformed), "PE"),
        ("multipart/form-data; boundary=\"B", Some(Fault::UnpairedQuote), "PE"),
        ("multipart/form-data; boundary=B; charset=\"x\"", Some(Fault::UnpairedQuote), "PE"),
        ("multipart/form-data; boundary=B@", Some(Fault::Character), "PE"),
        ("multipart/form-data; boundary=B ", Some(Fault::Character), "PE"),
        ("multipart/form-data; boundary=", Some(Fault::Empty), "PE"),
        ("multipart/form-data; boundary=;B", Some(Fault::Empty), "PE"),
        ("multipart/form-data; boundary=\"\"", Some(Fault::Empty), "PE BQ"),
        (&long, Some(Fault::TooLong), "PE"),
    ];
    for (content_type, fault, expected) in cases {
        let parsed = parse(content_type, part("Content-Disposition: form-data; name=\"a\"", "x").as_bytes());
        assert_eq!(parsed.error, fault.map(BodyError::ContentType), "{content_type}");
        assert_eq!(flags(&parsed), *expected, "{content_type}");
        assert_eq!(parsed.arguments.is_empty(), fault.is_some(), "{content_type}");
    }
}

#[test]
fn bodies_that_are_read_whole() {
    let head = "Content-Disposition: form-data; name=\"a\"";
    let cases: &[(String, &str, &[&str])] = &[
        (String::new(), "", &[]),
        ("--B--\r\n".into(), "", &[]),
        (part(head, ""), "", &["a="]),
        (part(head, "x\r\ny\nz\r\n"), "", &[r"a=x\r\ny\nz\r\n"]),
        (part(head, "x\r\n--C\r\n--\r\ny"), "", &[r"a=x\r\n--C\r\n--\r\ny"]),
        (part(head, "x --B y"), "", &["a=x --B y"]),
        (part(head, "\0"), "", &[r"a=\x00"]),
        (format!("--B\r\n{head}\r\n\r\nx\r\n--B--"), "", &["a=x"]),
        (format!("preamble\r\n{}", part(head, "x")), "DB", &["a=x"]),
        (format!("\r\n{}", part(head, "x")), "DB", &["a=x"]),
        (format!("{}\r\n", part(head, "x")), "DA", &["a=x"]),
        (format!("{}--B--\r\n", part(head, "x")), "DA", &["a=x"]),
        (part(head, "x").replace("\r\n", "\n"), "LF", &["a=x"]),
        (format!("--B\r\n{head}\n\r\nx\r\n--B--\r\n"), "LF CL", &["a=x"]),
        (format!("--B\r\n{head}\r\n\r\nx\n--B--\r\n"), "LF CL", &["a=x"]),
        (format!("--B\r\n{head}\r\n\r\nx\n--B--"), "LF CL", &["a=x"]),
        (format!("--B\r\n{head}\r\n\r\nx\r\n--B--\n"), "LF CL", &["a=x"]),
        (format!("--B\r\n{head}\r\n\r\n--B--"), "IP", &["a="]),
    ];
    for (body, expected, arguments) in cases {
        let parsed = parse(CONTENT_TYPE, body.as_bytes());
        assert_eq!(parsed.error, None, "{}", text(body.as_bytes()));
        assert_eq!(flags(&parsed), *expected, "{}", text(body.as_bytes()));
        assert_eq!(pairs(&parsed.arguments), *arguments, "{}", text(body.as_bytes()));
    }
}

#[test]
fn boundaries_that_are_none() {
    let head = "Content-Disposition: form-data; name=\"a\"";
    let open = |rest: &str| format!("--B\r\n{head}\r\n\r\nx\r\n{rest}");
    let cases: &[(String, BodyError, &str, &[&str])] = &[
        (open(""), BodyError::FinalBoundaryMissing, "", &["a=x"]),
        (open("--B"), BodyError::FinalBoundaryMissing, "", &[r"a=x\r\n--B"]),
        (open("--B-"), BodyError::FinalBoundaryMissing, "", &[r"a=x\r\n--B-"]),
        (open("y --B y\r\n"), BodyError::FinalBoundaryMissing, "U1", &[r"a=x\r\ny --B y"]),
        (open("--C\r\n"), BodyError::FinalBoundaryMissing, "U1", &[r"a=x\r\n--C"]),
        (open("--Bx\r\n--B--\r\n"), BodyError::Boundary("something behind it"), "PE", &["a=x"]),
        (open("-- B\r\n--B--\r\n"), BodyError::Boundary("white space before it"), "PE", &["a=x"]),
        (
            open("--B\r\n\r\n--B--\r\n"),
            BodyError::PartHeader(PartHeaderFault::DispositionMissing),
            "PE IP",
            &["a=x"],
        ),
        ("x".into(), BodyError::NoBoundary, "", &[]),
        ("x\r\n".into(), BodyError::NoBoundary, "DB", &[]),
        ("--B--".into(), BodyError::NoBoundary, "", &[]),
        ("--B\r\n".into(), BodyError::FinalBoundaryMissing, "", &[]),
        ("--B\r\n--B--\r\n".into(), BodyError::Boundary("a part without a body"), "PE IP", &[]),
        (
            format!("--B\r\n{head}\r\n\r\n--B--\r\n"),
            BodyError::Boundary("a part without a body"),
            "PE IP",
            &["a="],
        ),
    ];
    for (body, error, expected, arguments) in cases {
        let parsed = parse(CONTENT_TYPE, body.as_bytes());
        assert_eq!(parsed.error.as_ref(), Some(error), "{}", text(body.as_bytes()));
        assert_eq!(flags(&parsed), *expected, "{}", text(body.as_bytes()));
        assert_eq!(pairs(&parsed.arguments), *arguments, "{}", text(body.as_bytes()));
    }
    let quoted = parse("multipart/form-data; boundary=\"B\"", b"--\"B\"\r\n");
    assert_eq!(
        (quoted.error.clone(), flags(&quoted)),
        (Some(BodyError::Boundary("quotes around it")), "PE BQ".into())
    );
}

#[test]
fn dispositions() {
    use DispositionFault::{
        Duplicate, ExtendedFilenameAlone, MalformedExtendedFilename, MalformedParameter, NameMissing,
        NotFormData, UnclosedQuote, UnknownParameter,
    };
    /// What follows `form-data`, the fault, the flag of quoting, name and file name.
    type Case = (&'static str, Option<DispositionFault>, bool, &'static str, &'static str);
    let cases: &[Case] = &[
        ("; name=\"a\"", None, false, "a", ""),
        (";name=a", None, false, "a", ""),
        (" ; name = \"a\"", None, true, "a", ""),
        ("; name= \"a\"", None, true, "a", ""),
        (r#"; name="a\\"; filename="f""#, None, true, "a\\", "f"),
        ("; name=a; filename=\"\"; filename=\"f\"", Some(Duplicate), false, "", ""),
        ("; name=\"a\";", None, false, "a", ""),
        (r#"; name="a\"b\\c\d""#, None, false, r#"a"b\c\d"#, ""),
        ("; name=\"it's\"", None, false, "it's", ""),
        ("; name=it's", None, true, "it's", ""),
        ("; name='a'", None, true, "a", ""),
        ("; name=\"a\"; filename=\"C:\\x\\y.txt\"", None, false, "a", "C:\\x\\y.txt"),
        ("; filename=f; name=a", None, false, "a", "f"),
        ("; name=\"a\"; filename=\"\"", None, false, "a", ""),
        ("; name=a; filename=f; filename*=UTF-8'en'%e2%82%ac", None, false, "a", "f"),
        ("; name=a; filename*=u''f; filename=f", None, false, "a", "f"),
        ("x; name=a", Some(NotFormData), false, "", ""),
        ("", Some(NameMissing), false, "", ""),
        ("; name=\"\"", Some(NameMissing), false, "", ""),
        ("; filename=f", Some(NameMissing), false, "", ""),
        ("; name", Some(MalformedParameter), false, "", ""),
        ("; name=", Some(MalformedParameter), false, "", ""),
        ("; name=a;;", Some(MalformedParameter), false, "", ""),
        ("; name=a; ", Some(MalformedParameter), false, "", ""),
        ("; name=a b", Some(MalformedParameter), false, "", ""),
        ("; name=\"a\"b", Some(MalformedParameter), true, "", ""),
        ("; name=a\"b\"", Some(MalformedParameter), false, "", ""),
        ("; name=a; filename = f", Some(MalformedParameter), true, "", ""),
        ("; name=\"a", Some(UnclosedQuote), true, "", ""),
        ("; name=\"a\\\"", Some(UnclosedQuote), true, "", ""),
        ("; Name=a", Some(UnknownParameter), false, "", ""),
        ("; name=a; x=y", Some(UnknownParameter), false, "", ""),
        ("; name=a; name=b", Some(Duplicate), false, "", ""),
        ("; name=a; filename=1; filename=2", Some(Duplicate), false, "", ""),
        ("; name=a; filename=f; filename*=u''1; filename*=u''2", Some(Duplicate), false, "", ""),
        ("; name=a; filename*=u''f", Some(ExtendedFilenameAlone), false, "", ""),
        ("; name=a; filename=f; filename*=f", Some(MalformedExtendedFilename), false, "", ""),
        ("; name=a; filename=f; filename*=''f", Some(MalformedExtendedFilename), false, "", ""),
        ("; name=a; filename=f; filename*=u'f", Some(MalformedExtendedFilename), false, "", ""),
        ("; name=a; filename=f; filename*=u''%4", Some(MalformedExtendedFilename), false, "", ""),
        ("; name=a; filename=f; filename*=u''a b", Some(MalformedExtendedFilename), false, "", ""),
        ("; name=a; filename=f; filename*=\"u''a\"", Some(MalformedExtendedFilename), false, "", ""),
    ];
    for (rest, fault, invalid_quoting, name, filename) in cases {
        let parsed =
            parse(CONTENT_TYPE, part(&format!("Content-Disposition: form-data{rest}"), "x").as_bytes());
        let expected = fault.map(|fault| BodyError::PartHeader(PartHeaderFault::Disposition(fault)));
        assert_eq!(parsed.error, expected, "{rest}");
        assert_eq!(parsed.flags.invalid_quoting, *invalid_quoting, "{rest}");
        let field = parsed.arguments.iter().map(|(name, _)| (text(name), String::new()));
        let file = parsed.files.iter().map(|file| (text(&file.name), text(&file.filename)));
        let escaped = |given: &str| text(given.as_bytes());
        let wanted: Vec<_> =
            fault.is_none().then(|| (escaped(name), escaped(filename))).into_iter().collect();
        assert_eq!(field.chain(file).collect::<Vec<_>>(), wanted, "{rest}");
    }
    let refused =
        parse(CONTENT_TYPE, part("Content-Disposition: form-data; name=a; name=b; name=c", "x").as_bytes());
    assert_eq!(names(&refused.names), ["a", "b"], "names are seen up to the fault");
}

#[test]
fn headers_of_parts() {
    let head = "Content-Disposition: form-data; name=a";
    let too_long = format!("{head}\r\nX: {}", "y".repeat(4096));
    let most = (0..64).map(|n| format!("\r\nX{n}: y")).collect::<Vec<_>>().concat();
    let refused = |fault| Some(BodyError::PartHeader(fault));
    let cases: &[(&str, Option<BodyError>, &str, &str)] = &[
        (head, None, "", r"a=Content-Disposition: form-data; name=a\r\n"),
        ("content-disposition:form-data;name=a", None, "", r"a=content-disposition:form-data;name=a\r\n"),
        (
            "X : y\r\nContent-Disposition: form-data; name=a",
            None,
            "",
            r"a=X : y\r\n|a=Content-Disposition: form-data; name=a\r\n",
        ),
        (
            "Content-Disposition: form-data;\r\n name=a",
            None,
            "HF",
            "a=Content-Disposition: form-data; name=a",
        ),
        (
            &format!("{head}\r\nX:a\r\n\tb\r\n  c \r\nY: z"),
            None,
            "HF",
            r"a=Content-Disposition: form-data; name=a\r\n|a=X: a b c |a=Y: z\r\n",
        ),
        (
            &format!("{head}\r\nX: a\r\n\x0bb"),
            None,
            "HF IH",
            r"a=Content-Disposition: form-data; name=a\r\n|a=X: a b",
        ),
        (
            &format!("{head}\r\nNoColon"),
            refused(PartHeaderFault::ColonMissing),
            "",
            r"a=Content-Disposition: form-data; name=a\r\n",
        ),
        (
            &format!("{head}\r\n: x"),
            refused(PartHeaderFault::NameMissing),
            "",
            r"a=Content-Disposition: form-data; name=a\r\n",
        ),
        (
            &format!("{head}\r\nX\0: x"),
            refused(PartHeaderFault::NulByte),
            "",
            r"a=Content-Disposition: form-data; name=a\r\n",
        ),
        (
            &format!("{head}\r\n{head}"),
            refused(PartHeaderFault::Duplicate),
            "",
            r"a=Content-Disposition: form-data; name=a\r\n",
        ),
        (
            &format!(" x\r\n{head}"),
            refused(PartHeaderFault::FoldingWithoutHeader),
            "HF",
            r"a=Content-Disposition: form-data; name=a\r\n",
        ),
        (&too_long, refused(PartHeaderFault::TooLong), "PE", r"=Content-Disposition: form-data; name=a\r\n"),
    ];
    for (headers, error, expected, lines) in cases {
        let parsed = parse(CONTENT_TYPE, part(headers, "x").as_bytes());
        assert_eq!(parsed.error, *error, "{headers}");
        assert_eq!(flags(&parsed), *expected, "{headers}");
        assert_eq!(pairs(&parsed.part_headers).join("|"), *lines, "{headers}");
    }
    let crowded = parse(CONTENT_TYPE, part(&format!("{head}{most}"), "x").as_bytes());
    assert_eq!(crowded.error, refused(PartHeaderFault::TooMany));
}

#[test]
fn long_lines_are_data_like_any_other() {
    let head = "Content-Disposition: form-data; name=\"a\"; filename=\"f\"";
    for length in [4090, 4094, 4095, 4096, 4097, 8191, 8192, 8193, 100_000] {
        let parsed = parse(CONTENT_TYPE, part(head, &"y".repeat(length)).as_bytes());
        assert_eq!((parsed.error.clone(), flags(&parsed)), (None, String::new()), "{length}");
        assert_eq!(files(&parsed), [format!("a=f {length}")]);
    }
}

#[test]
fn limits() {
    let body = |count: usize, kind: &str| {
        let one = |n| format!("--B\r\nContent-Disposition: form-data; name=a{n}{kind}\r\n\r\nx\r\n");
        (0..count).map(one).collect::<String>() + "--B--\r\n"
    };
    let few = Limits { arguments: 2, files: 2, ..Limits::default() };
    let within = |body: String| {
        let mut multipart = Multipart::new(CONTENT_TYPE.as_bytes(), few);
        multipart.feed(body.as_bytes());
        multipart.finish()
    };
    let fields = within(body(3, ""));
    assert!(fields.exceeded());
    assert_eq!((fields.arguments.len(), fields.arguments.exceeded(), fields.error), (2, true, None));
    let uploads = within(body(2, "; filename=f"));
    assert_eq!((uploads.files.len(), uploads.error.clone(), flags(&uploads)), (2, None, String::new()));
    assert!(!uploads.exceeded());
    let uploads = within(body(3, "; filename=f"));
    assert_eq!(
        (uploads.files.len(), uploads.error.clone(), flags(&uploads)),
        (2, Some(BodyError::TooManyFiles(2)), "FL".into())
    );
}

/// So many headers.
fn header_lines(count: usize) -> String {
    let line = |number| format!("x{number}:\r\n");
    (0..count).map(line).collect()
}

/// What is left out of the headers, an attack may stand in.
#[test]
fn headers_of_parts_beyond_a_limit_are_told() {
    let part = |n: usize, lines: usize| {
        let lines = header_lines(lines);
        format!("--B\r\nContent-Disposition: form-data; name={n}\r\n{lines}\r\nx\r\n")
    };
    let within = |limits: Limits, lines: usize| {
        let mut multipart = Multipart::new(CONTENT_TYPE.as_bytes(), limits);
        multipart.feed((part(1, lines) + &part(2, lines) + "--B--\r\n").as_bytes());
        multipart.finish()
    };
    let few = Limits { arguments: 10, ..Limits::default() };
    let (all, more) = (within(few, 19), within(few, 20));
    assert_eq!((all.part_headers.len(), all.exceeded(), all.error.clone()), (40, false, None));
    assert_eq!((more.part_headers.len(), more.exceeded()), (40, true));
    assert!(!more.arguments.exceeded());
}

/// A name of 4 kB above 60 headers would be 250 kB.
#[test]
fn a_part_has_its_name_once() {
    let lines = header_lines(60);
    let head = format!("Content-Disposition: form-data; name=\"{}\"\r\n{lines}", "n".repeat(4000));
    let mut multipart =
        Multipart::new(CONTENT_TYPE.as_bytes(), Limits { bytes: 10_000, ..Limits::default() });
    multipart.feed(part(head.trim_end(), "x").as_bytes());
    let parsed = multipart.finish();
    assert_eq!((parsed.part_headers.len(), parsed.exceeded(), parsed.error), (61, false, None));
    assert!(parsed.part_headers.iter().all(|(name, _)| name.len() == 4000));
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        scraps in proptest::collection::vec(proptest::sample::select(vec![
            "--B\r\n", "--B--\r\n", "--B--", "--B", "--", "-- B\r\n", "--C\r\n", "Content-Disposition: form-data", "; name=\"a\"", "; filename=\"f\"",
            "\r\n", "\n", "\r", "X: y", " ", "text", "\0", "; filename*=u''x", "'", "\"",
        ]), 0..40),
        long in prop_oneof![Just(0_usize), 4060..4110_usize],
        cut in 1_usize..50,
    ) {
        let mut body = scraps.concat().into_bytes();
        body.splice(body.len() / 2..body.len() / 2, std::iter::repeat_n(b'y', long));
        let mut multipart = Multipart::new(CONTENT_TYPE.as_bytes(), Limits::default());
        body.chunks(cut).for_each(|piece| multipart.feed(piece));
        prop_assert_eq!(multipart.finish(), parse(CONTENT_TYPE, &body));
    }

    #[test]
    fn fields_come_back_as_they_were_sent(
        sent in proptest::collection::vec(("[a-z]{1,8}", proptest::collection::vec(any::<u8>(), 0..200)), 0..6),
    ) {
        let boundary = b"----WebKitFormBoundary7MA4YWxkTrZu0gW";
        let mut body = Vec::new();
        for (name, value) in &sent {
            body.extend([b"--", &boundary[..], b"\r\nContent-Disposition: form-data; name=\"", name.as_bytes(), b"\"\r\n\r\n", value, b"\r\n"].concat());
        }
        body.extend([b"--", &boundary[..], b"--\r\n"].concat());
        let parsed = parse("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", &body);
        let found: Vec<_> = parsed.arguments.iter().map(|(name, value)| (text(name), value.to_vec())).collect();
        prop_assert_eq!(found, sent);
        prop_assert_eq!((parsed.error.clone(), flags(&parsed)), (None, String::new()));
    }
}

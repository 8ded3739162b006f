use std::{collections::HashSet, path::Path, time::Duration};

use bartizan_config::{Mail, MailTransport, SmtpServer, SmtpTls};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::*;
use crate::transport::Transport;

const PATIENCE: Duration = Duration::from_secs(20);

fn letter() -> Letter {
    Letter {
        to: "ada@shop.test".into(),
        subject: "Grüße\r\nBcc: eve@shop.test".into(),
        text: "Hello,\n.\nlong live the dot".into(),
    }
}

fn mail(transport: MailTransport) -> Mail {
    Mail { from: "Shop <no-reply@shop.test>".into(), base_url: "https://shop.test".into(), transport }
}

fn smtp(port: u16, tls: SmtpTls, credentials: Option<(&str, &str)>) -> Mail {
    let credentials = credentials.map(|(user, password)| (user.to_owned(), password.into()));
    mail(MailTransport::Smtp(SmtpServer { host: "127.0.0.1".into(), port, tls, credentials }))
}

/// A server that takes one message after `refusals` temporary refusals, and tells what clients say.
async fn server(refusals: usize) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for turn in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let said = said.clone();
            tokio::spawn(async move { converse(stream, turn < refusals, &said).await });
        }
    });
    (port, heard)
}

async fn converse(stream: TcpStream, refuse: bool, said: &mpsc::UnboundedSender<String>) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test\r\n").await.unwrap();
    let (mut line, mut in_data) = (String::new(), false);
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let text = line.trim_end().to_owned();
        line.clear();
        let _ = said.send(text.clone());
        let answer = match text.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => continue,
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "MAIL" if refuse => "451 later",
            "RCPT" if text.contains("@nowhere.test") => "450 4.1.2 <nobody@nowhere.test>: no such domain",
            "RCPT" if text.contains("unknown@") => "550 5.1.1 <unknown@shop.test>: no such mailbox",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            _ => "250 fine",
        };
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn until(heard: &mut mpsc::UnboundedReceiver<String>, end: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let reading = async {
        while let Some(line) = heard.recv().await {
            lines.push(line);
            if lines.last().is_some_and(|line| line == end) {
                return;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("the conversation ends");
    lines
}

#[tokio::test]
async fn a_message_goes_to_a_server() {
    let (port, mut heard) = server(0).await;
    let mailer = Mailer::start(&smtp(port, SmtpTls::None, Some(("ada", "hunter2")))).unwrap();
    assert!(!format!("{mailer:?}").contains("hunter2"));
    let plain = Letter { subject: "Hello".into(), ..letter() };
    mailer.send(plain);
    let lines = until(&mut heard, ".").await;
    // A dot alone is doubled on its way (RFC 5321, section 4.5.2).
    assert!(lines.contains(&"..".to_owned()), "{lines:?}");
    let lines = lines.join("\n");
    for expected in [
        "AUTH PLAIN",
        "MAIL FROM:<no-reply@shop.test>",
        "RCPT TO:<ada@shop.test>",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain",
        "long live the dot",
    ] {
        assert!(lines.contains(expected), "{expected}: {lines}");
    }
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let (port, mut heard) = server(1).await;
    Mailer::start(&smtp(port, SmtpTls::None, None)).unwrap().send(letter());
    let lines = until(&mut heard, ".").await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("MAIL")).count(), 2, "{lines:?}");
}

/// Two tries and no third: what waits for it is sent before the process ends.
#[tokio::test]
async fn what_waits_is_tried_once_more_at_the_end() {
    for (refusals, sent) in [(1, true), (2, false)] {
        let (port, mut heard) = server(refusals).await;
        let mailer = Mailer::start(&smtp(port, SmtpTls::None, None)).unwrap();
        mailer.send(letter());
        until(&mut heard, "MAIL FROM:<no-reply@shop.test>").await;
        mailer.finish(PATIENCE).await;
        mailer.send(letter());
        let mut lines = Vec::new();
        while let Ok(line) = heard.try_recv() {
            lines.push(line);
        }
        assert_eq!(lines.iter().filter(|line| line.starts_with("MAIL")).count(), 1, "{lines:?}");
        assert_eq!(lines.iter().any(|line| line == "."), sent, "{lines:?}");
    }
}

#[tokio::test]
async fn messages_that_a_server_puts_off_hold_up_no_others() {
    let (port, mut heard) = server(0).await;
    let mailer = Mailer::start(&smtp(port, SmtpTls::None, None)).unwrap();
    for number in 0..9 {
        mailer.send(Letter { to: format!("{number}@nowhere.test"), ..letter() });
    }
    mailer.send(letter());
    let lines = until(&mut heard, ".").await;
    let tries: Vec<_> = lines.iter().filter(|line| line.starts_with("RCPT")).collect();
    let different: HashSet<_> = tries.iter().collect();
    assert_eq!(tries.len(), different.len(), "none is tried again before this one: {lines:?}");
    let again = until(&mut heard, "RCPT TO:<0@nowhere.test>").await;
    assert!(again.last().is_some_and(|line| line.starts_with("RCPT")), "it is tried again: {again:?}");
}

#[tokio::test]
async fn of_a_reply_only_the_codes_are_told() {
    let (port, _heard) = server(0).await;
    let settings = smtp(port, SmtpTls::None, None);
    let (transport, from) = (Transport::new(&settings.transport).unwrap(), settings.from.parse().unwrap());
    let cases = [
        ("unknown@shop.test", "the server replies 550 5.1.1", false),
        ("nobody@nowhere.test", "the server replies 450 4.1.2", true),
    ];
    for (to, reason, again) in cases {
        let message = Letter { to: to.into(), ..letter() }.message(&from).unwrap();
        let undelivered = transport.deliver(message).await.unwrap_err();
        assert_eq!((undelivered.reason.as_str(), undelivered.again), (reason, again));
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_without_tls() {
    let (port, mut heard) = server(0).await;
    Mailer::start(&smtp(port, SmtpTls::StartTls, Some(("ada", "hunter2")))).unwrap().send(letter());
    let first = timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
    assert!(first.starts_with("EHLO"), "{first}");
    while let Ok(Some(line)) = timeout(Duration::from_millis(500), heard.recv()).await {
        assert!(!line.starts_with("AUTH") && !line.starts_with("MAIL"), "{line}");
    }
}

#[tokio::test]
async fn a_message_becomes_a_file_that_only_its_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("mail");
    let mailer = Mailer::start(&mail(MailTransport::Folder(inbox.clone()))).unwrap();
    mailer.send(letter());
    mailer.send(Letter { to: "not an address".into(), ..letter() });
    let text = timeout(PATIENCE, message_in(&inbox)).await.expect("a message is written");
    assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    assert!(text.contains("To: ada@shop.test"), "{text}");
}

async fn message_in(inbox: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;

    loop {
        let found = std::fs::read_dir(inbox).unwrap().filter_map(Result::ok);
        if let Some(entry) =
            found.into_iter().find(|entry| entry.path().extension().is_some_and(|end| end == "eml"))
        {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            return std::fs::read_to_string(entry.path()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let nowhere = mail(MailTransport::Folder(folder.path().join("file/mail")));
    assert!(Mailer::start(&nowhere).unwrap_err().to_string().contains("cannot make the folder"));
    let from = Mail { from: "Shop".into(), ..mail(MailTransport::Folder(folder.path().into())) };
    assert!(Mailer::start(&from).unwrap_err().to_string().contains("`from`"));
}

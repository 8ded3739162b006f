//! A password opens the door, and is told to nobody else.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_limits::{LimitsError, RedisSettings, RedisStore, Tried};
use bartizan_model::Algorithm;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    attempts,
    cluster_server::Cluster,
    eventually::eventually,
    fake::{Reply, fake},
    server::{Server, programs},
    store::{connected, decide, limit, settings},
};

const PASSWORD: &str = "WATERLOO";
const MINUTE: Duration = Duration::from_mins(1);

/// Everything that is logged on this thread, on which the test's runtime runs too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_password_is_presented_from_the_url_or_the_setting() {
    for program in programs() {
        let server = Server::start(&program, &["--requirepass", PASSWORD]);
        let with_url = settings(&[format!("redis://:{PASSWORD}@127.0.0.1:{}", server.port)]);
        let with_setting = RedisSettings { password: Some(PASSWORD.into()), ..settings(&[server.url()]) };
        for settings in [with_url, with_setting] {
            let (log, _guard) = Log::listen();
            let store = connected(&settings).await;
            let five = limit("login", Algorithm::FixedWindow, 5);
            decide(&store, &five).await.unwrap();
            let shown = format!("{settings:?} {store:?} {}", log.text());
            assert!(shown.contains("connected") && !shown.contains(PASSWORD), "{shown}");
        }
    }
}

/// What a user of the store must be allowed: as `docs/src/limits.md` says.
const RIGHTS: &str = "~bartizan:limit:* ~bartizan:together:* +eval +evalsha +get +set +setrange +del +time +ping +incr +decr +pexpire \
                      +pttl +exists +zadd +zcard +zremrangebyscore";

fn rights() -> Vec<&'static str> {
    RIGHTS.split_whitespace().collect()
}

#[test]
fn the_manual_says_what_a_user_must_be_allowed() {
    let manual = include_str!("../../../../docs/src/limits.md");
    let told = manual.lines().find_map(|line| line.strip_prefix("ACL SETUSER bartizan on >PASSWORD "));
    assert_eq!(told.unwrap().split(' ').collect::<Vec<_>>(), rights());
}

#[tokio::test]
async fn a_user_with_few_rights_and_a_password_of_any_characters_is_enough() {
    for program in programs() {
        let server = Server::start(&program, &[]);
        let password = "p@ss/w%rd:?# ü";
        let encoded = "p%40ss%2Fw%25rd:%3F%23%20%C3%BC";
        let presented = format!(">{password}");
        let set = [&["ACL", "SETUSER", "limits", "on", &presented][..], &rights()].concat();
        assert_eq!(server.command(&set).trim(), "OK");
        server.command(&["ACL", "SETUSER", "default", "off"]);
        let url = format!("redis://limits:{encoded}@127.0.0.1:{}", server.port);
        let (log, _guard) = Log::listen();
        let store = connected(&settings(&[url])).await;
        let five = limit("login", Algorithm::FixedWindow, 5);
        assert!(decide(&store, &five).await.unwrap().is_admitted());
        assert!(store.reset(&five, b"somebody").await.unwrap());
        let (second, tries) = (Duration::from_secs(1), attempts::tries(1));
        assert!(store.use_once("proof", MINUTE).await.unwrap());
        assert!(!store.use_once("proof", MINUTE).await.unwrap());
        assert!(matches!(store.attempt("login", tries).await.unwrap(), Tried::Last(_)));
        let again = store.attempt("login", tries).await.unwrap();
        assert!(matches!(again, Tried::TooMany(wait) if wait > second), "{again:?}");
        store.take_back("login").await.unwrap();
        store.forget("login").await.unwrap();
        assert_eq!(store.gather("seen", "a", 2, MINUTE).await.unwrap(), None);
        assert_eq!(store.gather("seen", "b", 2, MINUTE).await.unwrap(), Some(2));
        assert!(store.gathered("seen").await.unwrap().is_some_and(|left| left > second));
        let shown = format!("{store:?} {}", log.text());
        assert!(!shown.contains(password) && !shown.contains(encoded), "{shown}");
    }
}

#[tokio::test]
async fn on_a_cluster_a_user_also_needs_to_ask_for_its_nodes() {
    for program in programs() {
        let cluster = Cluster::start(&program, &[]).await;
        for node in &cluster.nodes {
            let set = [&["ACL", "SETUSER", "limits", "on", ">WATERLOO", "+cluster"][..], &rights()].concat();
            assert_eq!(node.command(&set).trim(), "OK");
        }
        let urls = cluster.urls().into_iter().map(|url| url.replace("://", "://limits:WATERLOO@"));
        let settings = settings(&urls.collect::<Vec<_>>());
        let store = connected(&RedisSettings { is_cluster: true, ..settings }).await;
        for index in 0..12 {
            let limit = limit(&format!("limit-{index}"), Algorithm::TokenBucket, 5);
            assert!(decide(&store, &limit).await.unwrap().is_admitted());
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_shown_in_no_form() {
    for program in programs() {
        let server = Server::start(&program, &["--requirepass", "something else"]);
        for credentials in ["", "default", "nobody"] {
            let (log, _guard) = Log::listen();
            let url = format!("redis://{credentials}:WATER%4cOO%40home@127.0.0.1:{}", server.port);
            let settings = settings(&[url]);
            says_nothing(&settings, &log, "password").await;
            assert!(!log.text().contains("WATER"), "{}", log.text());
        }
    }
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_an_error_that_does_not_tell_it() {
    for program in programs() {
        let server = Server::start(&program, &["--requirepass", "something else"]);
        for password in [Some(PASSWORD.into()), None] {
            let (log, _guard) = Log::listen();
            let settings = RedisSettings { password, ..settings(&[server.url()]) };
            says_nothing(&settings, &log, "password").await;
        }
    }
}

#[tokio::test]
async fn a_server_that_repeats_what_it_was_sent_does_not_make_us_tell_it() {
    type Echo = fn(&[String]) -> Vec<u8>;
    let echoes: [Echo; 5] = [
        |command| format!("-ERR unknown command, with args beginning with: {command:?}\r\n").into_bytes(),
        |command| format!("-{} {}\r\n", command[command.len() - 1], command.join(" ")).into_bytes(),
        |command| format!("+{}\r\n", command.join(" ")).into_bytes(),
        |command| format!("*1\r\n+{}\r\n", command.join(" ")).into_bytes(),
        |command| format!("{}\r\n", command.join(" ")).into_bytes(),
    ];
    for echo in echoes {
        let node = fake(move |command, _| Reply::Say(echo(command))).await;
        let (log, _guard) = Log::listen();
        let settings = RedisSettings { password: Some(PASSWORD.into()), ..settings(&[node]) };
        says_nothing(&settings, &log, "").await;
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_repeated() {
    for node in [format!("{PASSWORD}@localhost"), format!("redis://:{PASSWORD}@localhost:port")] {
        let outcome = RedisStore::connect(&settings(&[node]));
        let shown = format!("{outcome:?} {}", outcome.as_ref().unwrap_err());
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
}

/// Neither the log nor the error of a decision shows the password, and the error says `hint`.
async fn says_nothing(settings: &RedisSettings, log: &Log, hint: &str) {
    let store = RedisStore::connect(settings).unwrap();
    let five = limit("login", Algorithm::FixedWindow, 5);
    eventually("a warning", async || log.text().contains("WARN")).await;
    let error = decide(&store, &five).await.unwrap_err();
    assert!(matches!(error, LimitsError::NotConnected(_)), "{error:?}");
    let shown = format!("{error} {error:?} {store:?} {settings:?} {}", log.text());
    assert!(!shown.contains(PASSWORD) && error.to_string().contains(hint), "{shown}");
}

//! Something that is not Redis but is found where Redis should be: none of its answers admits anything.

use std::time::Duration;

use bartizan_limits::{LimitsError, RedisSettings};
use bartizan_model::Algorithm;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::store::{connected, decide, limit, settings};

/// Listens on a port and gives one answer to everything but the greetings; `None` hangs up instead.
pub(crate) async fn fake(answer: impl Fn(&[String]) -> Option<Vec<u8>> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, answer.clone()));
        }
    });
    format!("redis://{address}")
}

async fn serve(stream: TcpStream, answer: impl Fn(&[String]) -> Option<Vec<u8>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut command = Vec::new();
        for _ in 0..number(&mut stream, '*').await? {
            let mut word = vec![0; number(&mut stream, '$').await? + 2];
            stream.read_exact(&mut word).await.ok()?;
            command.push(String::from_utf8_lossy(&word).trim_end().to_owned());
        }
        stream.write_all(&answer(&command)?).await.ok()?;
    }
}

async fn number(stream: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}

/// Greets as Redis does.
fn greeting(command: &[String]) -> Option<Vec<u8>> {
    match command[0].as_str() {
        "PING" => Some(b"+PONG\r\n".to_vec()),
        "CLIENT" => Some(b"+OK\r\n".to_vec()),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error() {
    let cases: [&[u8]; 20] = [
        b"+OK\r\n",
        b"$2\r\nOK\r\n",
        b":0\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n:0\r\n:4\r\n",
        b"*4\r\n:0\r\n:4\r\n:0\r\n:0\r\n",
        b"*3\r\n:0\r\n:-4\r\n:0\r\n",
        b"*3\r\n:-1\r\n:4\r\n:0\r\n",
        b"*3\r\n:0\r\n:6\r\n:0\r\n",
        b"*3\r\n:0\r\n:4\r\n:9223372036854775807\r\n",
        b"*3\r\n$1\r\n0\r\n$1\r\n4\r\n$1\r\n0\r\n",
        b"*3\r\n:0\r\n:4\r\n$-1\r\n",
        b"*1\r\n*3\r\n:0\r\n:4\r\n:0\r\n",
        b"*3\r\n:0\r\n:4\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff\xfe\0\0\r\n",
        b"-ERR no\r\n",
    ];
    for answer in cases {
        let node = fake(|command| greeting(command).or_else(|| Some(answer.to_vec()))).await;
        let timeout = Duration::from_millis(200);
        let store = connected(&RedisSettings { timeout, ..settings(&[node]) }).await;
        let five = limit("login", Algorithm::FixedWindow, 5);
        for _ in 0..3 {
            let outcome = decide(&store, &five).await;
            assert!(outcome.is_err(), "{}: {outcome:?}", answer.escape_ascii());
        }
    }
}

#[tokio::test]
async fn a_sensible_answer_is_believed() {
    // Else the test above would also pass if nothing ever were.
    let answer = b"*3\r\n:0\r\n:4\r\n:3600000000\r\n";
    let node = fake(|command| greeting(command).or_else(|| Some(answer.to_vec()))).await;
    let store = connected(&settings(&[node])).await;
    let decision = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await.unwrap();
    assert!(decision.is_admitted());
    assert_eq!(decision.standings[0].remaining, 4);
}

#[tokio::test]
async fn who_hangs_up_is_an_error() {
    let store = connected(&settings(&[fake(greeting).await])).await;
    let outcome = decide(&store, &limit("login", Algorithm::FixedWindow, 5)).await;
    assert!(matches!(outcome, Err(LimitsError::Connection(_))), "{outcome:?}");
}

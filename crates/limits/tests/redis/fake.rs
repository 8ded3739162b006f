//! Something that is not Redis but is found where Redis should be.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What is said to a command.
pub(crate) enum Reply {
    Say(Vec<u8>),
    /// And hang up.
    Last(Vec<u8>),
}

/// Listens on a port and replies to everything. The reply is told the address, too.
pub(crate) async fn fake(reply: impl Fn(&[String], SocketAddr) -> Reply + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let reply = reply.clone();
            connections.spawn(serve(stream, move |command| reply(command, address)));
        }
    });
    format!("redis://{address}")
}

async fn serve(stream: TcpStream, reply: impl Fn(&[String]) -> Reply) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut command = Vec::new();
        for _ in 0..number(&mut stream, '*').await? {
            let mut word = vec![0; number(&mut stream, '$').await? + 2];
            stream.read_exact(&mut word).await.ok()?;
            command.push(String::from_utf8_lossy(&word).trim_end().to_owned());
        }
        match reply(&command) {
            Reply::Say(bytes) => stream.write_all(&bytes).await.ok()?,
            Reply::Last(bytes) => return stream.write_all(&bytes).await.ok(),
        }
    }
}

async fn number(stream: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}

/// Greets as Redis does, a cluster of one node with all slots included; the rest is for others to say.
pub(crate) fn greeting(command: &[String], address: SocketAddr) -> Option<Reply> {
    let greeting = match command[0].as_str() {
        "PING" => "+PONG\r\n".to_owned(),
        "CLIENT" => "+OK\r\n".to_owned(),
        "CLUSTER" => {
            let (host, port) = (address.ip().to_string(), address.port());
            format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${}\r\n{host}\r\n:{port}\r\n", host.len())
        }
        _ => return None,
    };
    Some(Reply::Say(greeting.into_bytes()))
}

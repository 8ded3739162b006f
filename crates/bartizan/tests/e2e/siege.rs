//! What stories about hostile clients share: clients at addresses of their own, the figures of the process under
//! siege, and a download that is larger than any buffer on the way.

use std::{
    convert::Infallible,
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    eventually::eventually,
    harness::{Gateway, PATIENCE},
};

/// How long an honest client may have to wait while others attack, on a slow and busy machine.
pub(crate) const PROMPTLY: Duration = Duration::from_secs(4);

/// An address that no attack comes from, in a network of its own.
pub(crate) const ELSEWHERE: &str = "127.0.9.1";

/// How often an honest client asks.
const PACE: Duration = Duration::from_millis(50);

/// What downloads are made of.
const PIECE: &[u8] = &[b'x'; 64 * 1024];

/// A client that behaves, at [`ELSEWHERE`], with a new connection for every request.
pub(crate) struct Honest {
    client: reqwest::Client,
    url: String,
}

impl Honest {
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let address: IpAddr = ELSEWHERE.parse().unwrap();
        let builder = reqwest::Client::builder().no_proxy().local_address(address).pool_max_idle_per_host(0);
        Self { client: builder.build().unwrap(), url: gateway.url("/honest") }
    }

    /// Asks once.
    pub(crate) async fn is_served(&self) {
        let answer = timeout(PROMPTLY, self.client.get(&self.url).send()).await;
        assert_eq!(answer.expect("an honest client waited too long").unwrap().status(), 200);
    }

    /// Asks again and again until `siege` is over.
    pub(crate) async fn is_served_during<T>(&self, siege: impl Future<Output = T>) -> T {
        self.is_served().await;
        let asking = async {
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                pace.tick().await;
                self.is_served().await;
            }
        };
        let over = tokio::select! {
            over = siege => over,
            () = asking => unreachable!(),
        };
        self.is_served().await;
        over
    }
}

/// Waits until no connection of the listener is left.
pub(crate) async fn connections_end(gateway: &Gateway, listener: &str) {
    let series = format!("bartizan_connections{{listener=\"{listener}\"}}");
    eventually(&series, async || gateway.metric(&series).await == 0.0).await;
}

/// Connections at this end that the kernel still keeps, with or without a process: one that was closed over unread
/// data lives on until its client has read it.
pub(crate) fn kernel_connections(listener: SocketAddr) -> usize {
    const LISTENING: &str = "0A";
    const TIME_WAIT: &str = "06";
    let port = format!(":{:04X}", listener.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_kept = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next().unwrap(), fields.nth(1).unwrap());
        local.ends_with(&port) && ![LISTENING, TIME_WAIT].contains(&state)
    };
    table.lines().skip(1).filter(is_kept).count()
}

/// Files and sockets that the gateway holds open.
pub(crate) fn open_files(gateway: &Gateway) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count()
}

/// Memory that the gateway occupies, in bytes.
pub(crate) fn resident_bytes(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// A connection from this address.
pub(crate) async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source.parse().unwrap(), 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// A connection that takes in very little unless somebody reads.
pub(crate) async fn connect_with_small_window(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(address).await.unwrap()
}

/// A service that answers every request with a download. Displays itself as its URL.
pub(crate) struct Warehouse {
    address: SocketAddr,
    abandoned: watch::Receiver<usize>,
    tasks: AbortHandle,
}

impl Warehouse {
    /// Downloads have this many pieces of 64 KiB.
    pub(crate) async fn of(pieces: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (count, abandoned) = watch::channel(0);
        let tasks = tokio::spawn(deliver(listener, pieces, count)).abort_handle();
        Self { address, abandoned, tasks }
    }

    /// Waits until the gateway has given up on this many downloads.
    pub(crate) async fn is_abandoned(&self, times: usize) {
        let mut abandoned = self.abandoned.clone();
        let waited = timeout(PATIENCE, abandoned.wait_for(|&count| count >= times)).await;
        waited.expect("the download goes on").unwrap();
    }
}

impl fmt::Display for Warehouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

impl Drop for Warehouse {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn deliver(listener: TcpListener, pieces: usize, abandoned: watch::Sender<usize>) -> Infallible {
    let mut downloads = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let abandoned = abandoned.clone();
        downloads.spawn(async move {
            let mut request = vec![0; 32 * 1024];
            while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                if download(&mut stream, pieces).await.is_err() {
                    abandoned.send_modify(|count| *count += 1);
                    return;
                }
            }
        });
    }
}

async fn download(stream: &mut TcpStream, pieces: usize) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", pieces * PIECE.len());
    stream.write_all(head.as_bytes()).await?;
    for _ in 0..pieces {
        stream.write_all(PIECE).await?;
    }
    Ok(())
}

//! The connection to Redis: made, watched and made again in the background, so that nobody waits for it.
//!
//! A decision finds a connection or fails at once. All decisions of a gateway share one connection, on which they
//! follow each other without waiting (pipelining); on a cluster there is one to each node, kept by the client.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use arc_swap::ArcSwap;
use redis::{
    Cmd, RedisError, RedisResult, Value, aio::MultiplexedConnection, cluster_async::ClusterConnection,
};
use tokio::{
    sync::{Notify, watch},
    task::{JoinHandle, yield_now},
    time::{Instant, interval_at, sleep, timeout},
};

use super::{endpoint::Endpoint, error::LimitsError, silence::Silence};

/// How long making a connection, or an answer to a sign of life, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Between two attempts to connect: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How much later than it should a timer may wake while the machine is well; tokio's count milliseconds.
const PUNCTUAL: Duration = Duration::from_millis(2);
/// How often others have their turn before an answer counts as late: to read the socket, to hand on what was read, and once
/// more for the thread beside.
const TURNS: usize = 3;
/// How long a decision is waited for, if the timeout is shorter, while the store answers others on the same connection: then
/// it is busy, not gone, and what it says late is better than what this gateway knows.
const BUSY: Duration = Duration::from_millis(50);
/// So many heartbeats in a row with unanswered decisions, and the cluster is looked up anew.
const DOUBTS: u32 = 3;
/// How long a cluster that has been looked up anew is not looked up again for being silent.
const LOOKED_UP: Duration = Duration::from_secs(3);

/// A connection that comes and goes.
#[derive(Debug)]
pub(super) struct Link {
    presence: Arc<ArcSwap<Presence>>,
    /// Whether there has ever been a connection.
    reached: watch::Receiver<bool>,
    timeout: Duration,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
enum Presence {
    Connected(Arc<Connected>),
    /// And why.
    Absent(Arc<str>),
}

impl Link {
    /// Returns at once; must be called inside a tokio runtime, on which the connection is kept.
    pub(super) fn keep(endpoint: Endpoint, timeout: Duration) -> Self {
        let presence = Arc::new(ArcSwap::from_pointee(Presence::Absent("still connecting".into())));
        let (told, reached) = watch::channel(false);
        let keeper = tokio::spawn(keep(endpoint, Arc::clone(&presence), told));
        Self { presence, reached, timeout, keeper }
    }

    pub(super) fn was_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Waits for the first connection.
    pub(super) async fn reached(&self) {
        // An error means that nobody tries any more.
        let _ = self.reached.clone().wait_for(|reached| *reached).await;
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(**self.presence.load(), Presence::Connected(_))
    }

    /// Does `work` on the connection, for as long as a decision may take that has `waited` so long before, and reads the
    /// answer. A connection that brought an answer nobody can read is not used any more: the next ones may belong to other
    /// questions.
    pub(super) async fn ask<W, T>(
        &self,
        waited: Duration,
        work: impl FnOnce(Connection) -> W,
        read: impl FnOnce(Value) -> Result<T, LimitsError>,
    ) -> Result<T, LimitsError>
    where
        W: Future<Output = RedisResult<Value>>,
    {
        let connected = match &**self.presence.load() {
            Presence::Connected(connected) => Arc::clone(connected),
            Presence::Absent(cause) => return Err(LimitsError::NotConnected(Arc::clone(cause))),
        };
        let left = self.timeout.saturating_sub(waited);
        if left.is_zero() {
            // It was not asked, so it has not failed to answer.
            return Err(LimitsError::TimedOut(self.timeout));
        }
        let began = Instant::now();
        let work = work(connected.connection.clone());
        match within(left, || connected.is_busy(self.timeout), work).await {
            Some(Ok(value)) => {
                connected.silence.ends();
                read(value).inspect_err(|_| connected.lost.notify_one())
            }
            Some(Err(error)) => Err(connected.failed(&error)),
            None => {
                connected.unanswered(began.elapsed());
                Err(LimitsError::TimedOut(self.timeout))
            }
        }
    }
}

/// What `work` gives within the time, or within [`BUSY`] as long as the store `is_busy`.
async fn within<T>(time: Duration, is_busy: impl Fn() -> bool, work: impl Future<Output = T>) -> Option<T> {
    let (began, mut work) = (Instant::now(), pin!(work));
    loop {
        let done = in_time(time, work.as_mut()).await;
        if done.is_some() || began.elapsed() + time > BUSY || !is_busy() {
            return done;
        }
    }
}

/// What `work` gives within the time. Of the time that this process was kept from running nobody can tell whether the
/// store answered in it: the question may not have been sent yet, or the answer lie unread in the socket. So as long as
/// that was, and no longer than `time`, is waited again.
async fn in_time<T>(time: Duration, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let began = Instant::now();
    if let Ok(done) = timeout(time, work.as_mut()).await {
        return Some(done);
    }
    let overslept = began.elapsed().saturating_sub(time);
    if overslept >= PUNCTUAL
        && let Ok(done) = timeout(overslept.min(time), work.as_mut()).await
    {
        return Some(done);
    }
    arrived(work).await
}

/// What `work` gives if its answer has arrived by now. The timer and the answer are noticed in the same look at what has
/// happened: whoever reads the socket must have had its turn before it can be said that there was nothing in it.
async fn arrived<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    for _ in 0..TURNS {
        yield_now().await;
        let look = poll_fn(|context| Poll::Ready(work.as_mut().poll(context)));
        if let Poll::Ready(done) = look.await {
            return Some(done);
        }
    }
    None
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    pub(super) async fn query(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// A connection as long as it is believed in.
struct Connected {
    connection: Connection,
    silence: Silence,
    /// Whether a decision has gone unanswered since the last heartbeat.
    has_missed: AtomicBool,
    lost: Notify,
    fell_silent: Notify,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("silence", &self.silence).finish_non_exhaustive()
    }
}

/// What the watch over a connection ends with.
enum Fate {
    Lost(Arc<str>),
    /// Some nodes of a cluster have long been silent: perhaps others stand in for them.
    Doubtful,
    /// No node of a cluster has answered lately: perhaps only one is gone that everybody asks.
    Silent,
}

impl Connected {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            silence: Silence::new(),
            has_missed: AtomicBool::new(false),
            lost: Notify::new(),
            fell_silent: Notify::new(),
        }
    }

    /// For a decision that was asked `asked` ago.
    fn unanswered(&self, asked: Duration) {
        self.has_missed.store(true, Ordering::Relaxed);
        if self.silence.goes_on(asked) {
            self.fell_silent.notify_one();
        }
    }

    /// Whether it has answered others so lately. Of a cluster nobody knows which of its nodes did.
    fn is_busy(&self, lately: Duration) -> bool {
        matches!(self.connection, Connection::Single(_)) && self.silence.is_shorter_than(lately)
    }

    /// A server's error is an answer. A connection that broke is lost, and so is a single server that has become
    /// a replica: its name may lead to its successor by now. A cluster's client sees to both by itself.
    fn failed(&self, error: &RedisError) -> LimitsError {
        let is_single = matches!(self.connection, Connection::Single(_));
        let is_demoted = error.code() == Some("READONLY");
        if error.code().is_some() && !is_demoted {
            self.silence.ends();
        } else if is_single {
            self.lost.notify_one();
        } else {
            self.unanswered(Duration::ZERO);
        }
        LimitsError::deciding(error)
    }

    /// Until `trusted_until` the silence of a cluster is that of a node that was known to be gone.
    async fn watch(&self, trusted_until: Instant) -> Fate {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        let mut doubts = 0;
        loop {
            tokio::select! {
                () = self.lost.notified() => return Fate::Lost("it broke, or answered nonsense".into()),
                () = self.fell_silent.notified() => match &self.connection {
                    Connection::Single(_) => return Fate::Lost("it fell silent".into()),
                    Connection::Cluster(_) if Instant::now() < trusted_until => continue,
                    Connection::Cluster(_) => return Fate::Silent,
                },
                _ = heartbeat.tick() => {}
            }
            match &self.connection {
                Connection::Single(_) => {
                    if let Err(cause) = sign_of_life(&mut self.connection.clone()).await {
                        return Fate::Lost(cause);
                    }
                }
                Connection::Cluster(_) => {
                    let has_missed = self.has_missed.swap(false, Ordering::Relaxed);
                    doubts = if has_missed { doubts + 1 } else { 0 };
                    if doubts >= DOUBTS {
                        return Fate::Doubtful;
                    }
                }
            }
        }
    }
}

async fn keep(endpoint: Endpoint, presence: Arc<ArcSwap<Presence>>, reaches: watch::Sender<bool>) {
    let mut pause = PAUSES.0;
    let mut told = None;
    loop {
        match open(&endpoint).await {
            Ok(connection) => {
                tracing::info!(redis = %endpoint, "connected");
                let began = Instant::now();
                let cause = serve(&endpoint, connection, &presence, &reaches).await;
                tracing::warn!(redis = %endpoint, %cause, "connection lost");
                told = None;
                presence.store(Arc::new(Presence::Absent(cause)));
                // One that breaks as soon as it is made shall not be made without a rest.
                if began.elapsed() > PAUSES.1 {
                    pause = PAUSES.0;
                }
            }
            Err(cause) => {
                if told.as_ref() != Some(&cause) {
                    tracing::warn!(redis = %endpoint, %cause, "cannot connect; trying on");
                    told = Some(Arc::clone(&cause));
                }
                presence.store(Arc::new(Presence::Absent(cause)));
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Offers the connection until it is lost, and says why it was.
async fn serve(
    endpoint: &Endpoint,
    connection: Connection,
    presence: &ArcSwap<Presence>,
    reaches: &watch::Sender<bool>,
) -> Arc<str> {
    let (mut connected, mut trusted_until) = (Arc::new(Connected::new(connection)), Instant::now());
    loop {
        presence.store(Arc::new(Presence::Connected(Arc::clone(&connected))));
        reaches.send_replace(true);
        let fate = connected.watch(trusted_until).await;
        if let Fate::Lost(cause) = fate {
            return cause;
        }
        // The nodes that answer are asked on meanwhile.
        match (open(endpoint).await, fate) {
            (Ok(connection), _) => connected = Arc::new(Connected::new(connection)),
            (Err(cause), Fate::Silent) => return cause,
            (Err(_), _) => {}
        }
        trusted_until = Instant::now() + LOOKED_UP;
    }
}

async fn open(endpoint: &Endpoint) -> Result<Connection, Arc<str>> {
    let mut connection = match timeout(2 * PATIENCE, endpoint.open()).await {
        Ok(opened) => opened?,
        Err(_) => return Err("no answer".into()),
    };
    if let Connection::Single(_) = connection {
        sign_of_life(&mut connection).await?;
    }
    Ok(connection)
}

async fn sign_of_life(connection: &mut Connection) -> Result<(), Arc<str>> {
    match timeout(PATIENCE, connection.query(&redis::cmd("PING"))).await {
        Ok(Ok(Value::SimpleString(answer))) if answer == "PONG" => Ok(()),
        Ok(Ok(_)) => Err("the server does not speak as redis does".into()),
        Ok(Err(error)) => Err(LimitsError::connecting(&error)),
        Err(_) => Err("no answer".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(5);

    async fn waited(answer: Duration, is_busy: impl Fn() -> bool) -> (bool, Duration) {
        let began = Instant::now();
        let done = within(TIMEOUT, is_busy, sleep(answer)).await;
        (done.is_some(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_answers_others_is_waited_for_longer_but_not_for_ever() {
        let ms = Duration::from_millis;
        assert_eq!(waited(ms(12), || false).await, (false, TIMEOUT));
        assert_eq!(waited(ms(12), || true).await, (true, ms(12)));
        assert_eq!(waited(ms(48), || true).await, (true, ms(48)));
        assert_eq!(waited(ms(52), || true).await, (false, BUSY));
        let falls_silent = Instant::now() + ms(15);
        assert_eq!(waited(ms(30), || Instant::now() < falls_silent).await, (false, ms(15)));
    }
}

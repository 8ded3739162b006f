//! The threads that hash: few, polite, and with a queue that ends.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
};

use argon2::Block;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Why a password could not be hashed or checked. None of it says anything about the password.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// As many callers wait as may, or this one waited long enough. Answer 503 and `Retry-After`.
    #[error("too many passwords are being checked: try again shortly")]
    Busy,
    /// The threads are gone; one of them panicked.
    #[error("the threads that hash passwords have ended")]
    Ended,
    /// The operating system gives no random bytes.
    #[error("no random bytes to make a salt of")]
    Random,
    /// Parameters and hashes are checked before: this is not expected to happen.
    #[error("argon2id cannot be computed: {0}")]
    Argon2(argon2::Error),
    /// The threads cannot be started.
    #[error("cannot start a thread that hashes passwords: {0}")]
    Thread(#[source] std::io::Error),
}

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// Ends its threads when it is dropped, after what is in the queue.
#[derive(Debug)]
pub(super) struct Workers {
    queue: SyncSender<Job>,
}

impl Workers {
    pub(super) fn start(threads: usize, queue: usize) -> Result<Self, HashingError> {
        let (sender, receiver) = mpsc::sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = Arc::clone(&receiver);
            let thread = thread::Builder::new().name("password".into());
            thread.spawn(move || work(&receiver)).map_err(HashingError::Thread)?;
        }
        Ok(Self { queue: sender })
    }

    /// Runs `job` on one of the threads. A caller that is gone before its turn costs nothing.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let (answer, answered) = oneshot::channel();
        let job = move |memory: &mut Vec<Block>| {
            if !answer.is_closed() {
                // The caller may have gone meanwhile.
                let _ = answer.send(job(memory));
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => HashingError::Busy,
            TrySendError::Disconnected(_) => HashingError::Ended,
        })?;
        answered.await.map_err(|_| HashingError::Ended)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux the calling thread alone: proxied requests come before logins.
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::debug!(%error, "password threads run at normal priority");
    }
    let mut memory = Vec::new();
    loop {
        let job = jobs.lock().recv();
        let Ok(job) = job else { return };
        job(&mut memory);
    }
}

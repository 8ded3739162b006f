//! Hashing and checking for callers that may not wait: the bounded front of the hashing threads.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use metrics::counter;

use super::{
    Argon2Parameters, Factors, ForeignHash, HashingError, Password, PasswordContext, PasswordHash,
    PasswordRules, Violation, blocklist::BlocklistError, worker::Workers,
};

/// How much of the machine passwords may take.
#[derive(Debug, Clone, Copy)]
pub struct HashingLimits {
    /// Hashes computed at the same time, each with its own memory and processor core.
    pub threads: NonZeroUsize,
    /// Callers that may wait for a thread; the next one is told `Busy` at once.
    pub queue: NonZeroUsize,
    /// How long one may wait, its own hash included.
    pub patience: Duration,
}

/// Half of the cores, at most four; 32 waiting callers a thread; five seconds.
impl Default for HashingLimits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = NonZeroUsize::new(cores / 2)
            .unwrap_or(NonZeroUsize::MIN)
            .min(NonZeroUsize::MIN.saturating_add(3));
        let queue = threads.saturating_mul(NonZeroUsize::MIN.saturating_add(31));
        Self { threads, queue, patience: Duration::from_secs(5) }
    }
}

/// What a check of a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether it was the password.
    pub matches: bool,
    /// It was, and its hash has other parameters than new ones get: hash it again while it is at hand.
    pub needs_rehash: bool,
}

/// Hashes and checks passwords on few threads of low priority. Clones share them.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    workers: Arc<Workers>,
    parameters: Argon2Parameters,
    patience: Duration,
    nobody: PasswordHash,
}

impl PasswordHasher {
    /// Starts the threads and makes the hash that stands in for accounts that do not exist: one hash's time.
    pub fn start(parameters: Argon2Parameters, limits: HashingLimits) -> Result<Self, HashingError> {
        let random = Password::new(&hex(random_salt()?).into()).map_err(|_| HashingError::Random)?;
        let nobody = PasswordHash::compute(&random, random_salt()?, parameters, &mut Vec::new())
            .map_err(HashingError::Argon2)?;
        let workers = Arc::new(Workers::start(limits.threads.get(), limits.queue.get())?);
        Ok(Self { workers, parameters, patience: limits.patience, nobody })
    }

    /// The parameters that new hashes get.
    pub fn parameters(&self) -> Argon2Parameters {
        self.parameters
    }

    /// Hashes a password with a new salt. It is not judged here: see [`PasswordHasher::check`].
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashingError> {
        let (salt, parameters) = (random_salt()?, self.parameters);
        let hashed =
            self.run(move |memory| PasswordHash::compute(&password, salt, parameters, memory)).await?;
        computed();
        hashed.map_err(HashingError::Argon2)
    }

    /// Whether `password` is the one that was hashed.
    pub async fn verify(&self, password: Password, hash: &PasswordHash) -> Result<Verified, HashingError> {
        let stored = hash.clone();
        let compared = self.run(move |memory| stored.matches(&password, memory)).await?;
        computed();
        let matches = compared.map_err(HashingError::Argon2)?;
        Ok(Verified { matches, needs_rehash: matches && hash.needs_rehash(self.parameters) })
    }

    /// Whether `password` is the one that another system has hashed; if so, it is time for a hash of ours.
    pub async fn verify_foreign(
        &self,
        password: Password,
        hash: &ForeignHash,
    ) -> Result<Verified, HashingError> {
        let stored = hash.clone();
        let matches = self.run(move |memory| stored.matches(&password, memory)).await?;
        computed();
        Ok(Verified { matches, needs_rehash: matches })
    }

    /// For an account that does not exist or has no password: costs what [`PasswordHasher::verify`] costs, waits
    /// in the same queue, and never matches. The answer's time tells nobody which accounts exist, once old hashes
    /// have been replaced by those of the present parameters.
    pub async fn verify_nobody(&self, password: Password) -> Result<Verified, HashingError> {
        self.verify(password, &self.nobody).await?;
        Ok(Verified { matches: false, needs_rehash: false })
    }

    /// Judges a new password on the hashing threads: see [`PasswordRules::check`] for why.
    pub async fn check(
        &self,
        rules: Arc<PasswordRules>,
        password: Password,
        factors: Factors,
        context: PasswordContext,
    ) -> Result<Result<Vec<Violation>, BlocklistError>, HashingError> {
        self.run(move |_| rules.check(&password, factors, &context)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Vec<argon2::Block>) -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let answer = tokio::time::timeout(self.patience, self.workers.run(job)).await;
        answer.map_err(|_| HashingError::Busy)?
    }
}

/// One more hash that somebody has waited for.
fn computed() {
    counter!("bartizan_password_hashes_total").increment(1);
}

fn random_salt() -> Result<[u8; 16], HashingError> {
    let mut salt = [0; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_| HashingError::Random)?;
    Ok(salt)
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

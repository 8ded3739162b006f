//! Bodies that take their time are looked at beside the road, on threads for blocking work: the other connections of a
//! worker go on meanwhile.
//!
//! As many are looked at together as there are processors, so that the workers keep their share of them. Others wait for
//! their turn, each for [`PATIENCE`] at most and with its bytes counted under `hardening.max_held_bytes`, and are refused
//! then.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{Allowance, Inspection};
use crate::{Code, Refusal};

/// From how many bytes on a body is looked at beside the road. Ordinary values are read at some 20 MB/s and the worst at 3, so
/// that a worker is kept for 1 ms, and for 6 at the longest; handing a body over costs some 10 µs, which do not matter for
/// longer ones.
const BESIDE: usize = 16 * 1024;
/// How many bytes of names and values a byte of a body mostly becomes: a form is also looked at as a whole.
const READ_PER_BYTE: usize = 2;
/// How long a body waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who looks at large bodies, of all configurations together. Cloning it gives another handle to the same.
#[derive(Debug, Clone)]
pub(crate) struct Inspectors {
    places: Arc<Semaphore>,
    /// What trying out exclusions may cost.
    pub(crate) trials: Allowance,
}

/// An inspection that was shown a part, and what came of it.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The inspection.
    pub(crate) inspection: Box<Inspection>,
    /// Whether it has something against the part.
    pub(crate) found: Result<(), Refusal>,
}

impl Inspectors {
    /// One for every processor.
    pub(crate) fn new() -> Self {
        Self::of(available_parallelism().map_or(1, NonZero::get))
    }

    fn of(number: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(number)), trials: Allowance::new() }
    }

    /// Shows a part with a body of this many bytes, in two steps. A short body is read at once: what has become of it, by which
    /// a client may have made much of little, says who looks at it.
    pub(crate) async fn show_read(
        &self,
        mut inspection: Box<Inspection>,
        length: usize,
        read: impl FnOnce(&mut Inspection) -> Result<(), Refusal> + Send + 'static,
        judge: impl FnOnce(&mut Inspection, Result<(), Refusal>) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Shown, Refusal> {
        if length >= BESIDE {
            let both = move |inspection: &mut Inspection| {
                let found = read(inspection);
                judge(inspection, found)
            };
            return self.show(inspection, length, both).await;
        }
        let before = inspection.length_to_look_at();
        let found = read(&mut inspection);
        let length = inspection.length_to_look_at().saturating_sub(before) / READ_PER_BYTE;
        self.show(inspection, length, move |inspection| judge(inspection, found)).await
    }

    /// Shows a part with a body of this many bytes. An error means that nothing is left of the inspection.
    pub(crate) async fn show(
        &self,
        mut inspection: Box<Inspection>,
        length: usize,
        part: impl FnOnce(&mut Inspection) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Shown, Refusal> {
        if length < BESIDE {
            let found = part(&mut inspection);
            return Ok(Shown { inspection, found });
        }
        let Ok(Ok(place)) = timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await else {
            let reason = format!("other large bodies were looked at for {} s", PATIENCE.as_secs());
            let found = inspection.cannot_look(reason).and_then(|()| part(&mut inspection));
            return Ok(Shown { inspection, found });
        };
        // Whoever waits for it may go away, and the place is taken until the work is done.
        let work = spawn_blocking(move || {
            let _place = place;
            let found = part(&mut inspection);
            Shown { inspection, found }
        });
        work.await
            .map_err(|_| Refusal::new(Code::SecurityCheckFailed, "the rules were interrupted").closing())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::Instant;

    use super::{super::tests, *};

    fn inspection(keys: &str) -> Box<Inspection> {
        Box::new(tests::begin(&tests::starter(keys), "/0"))
    }

    #[tokio::test]
    async fn a_large_body_keeps_nobody_from_work() {
        let (done, wait) = mpsc::channel();
        let inspectors = Inspectors::of(1);
        let large = inspectors.show(inspection(""), BESIDE, move |_| {
            wait.recv().unwrap();
            Ok(())
        });
        let small = async {
            inspectors.show(inspection(""), BESIDE - 1, |_| Ok(())).await.unwrap().found.unwrap();
            done.send(()).unwrap();
        };
        let (large, ()) = tokio::join!(large, small);
        large.unwrap().found.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long() {
        let inspectors = Inspectors::of(1);
        let place = Arc::clone(&inspectors.places).acquire_owned().await.unwrap();
        let started = Instant::now();
        let refuses = inspectors.show(inspection("mode: block"), BESIDE, |_| unreachable!("no place"));
        let reports = inspectors.show(inspection("mode: log"), BESIDE, |inspection| {
            // It looks at the rest.
            inspection.request_body(&[b'a'; BESIDE], true)
        });
        let (refuses, reports) = tokio::join!(refuses, reports);
        assert_eq!(refuses.unwrap().found.unwrap_err().code, Code::Overloaded);
        let Shown { inspection: mut reports, found } = reports.unwrap();
        assert_eq!(reports.take_unseen().unwrap().as_str(), "other large bodies were looked at for 2 s");
        assert!(found.is_ok() && started.elapsed() < PATIENCE * 2);
        drop(place);
        assert!(inspectors.show(inspection(""), BESIDE, |_| Ok(())).await.unwrap().found.is_ok());
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_work_is_done() {
        let (done, wait) = mpsc::channel::<()>();
        let inspectors = Inspectors::of(1);
        let work = inspectors.show(inspection(""), BESIDE, move |_| {
            let _ = wait.recv();
            Ok(())
        });
        // Its client goes away.
        assert!(timeout(Duration::from_millis(50), work).await.is_err());
        assert_eq!(inspectors.places.available_permits(), 0);
        drop(done);
        drop(inspectors.places.acquire().await.unwrap());
    }
}

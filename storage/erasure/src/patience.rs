//! How long a write waits for a drive. One that hangs stops nobody for longer:
//! whoever waits fences it, and goes on with the others.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::disk::WriteFailure;
use crate::geometry::DriveMask;
use crate::set::Set;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For any drive.
    pub(crate) all: Duration,
    /// For those that are left, once enough others are done.
    pub(crate) laggard: Duration,
}

/// With what a system call takes that does not wait for the platter, or for as
/// little as a batch of the log.
pub(crate) const WRITES: Patience = Patience {
    all: Duration::from_secs(30),
    laggard: Duration::from_secs(5),
};

/// With what makes everything durable that was written before: on one drive that
/// may be much more than on the others.
pub(crate) const SYNCS: Patience = Patience {
    all: Duration::from_secs(60),
    laggard: Duration::from_secs(30),
};

/// What came of something that was done on several drives.
#[derive(Debug)]
struct Gathered<T> {
    outcomes: Vec<(usize, Result<T, WriteFailure>)>,
    late: Vec<usize>,
}

impl Patience {
    /// Does one thing on each drive, all at the same time. `enough` is how many
    /// must succeed.
    async fn gather<T>(
        self,
        enough: usize,
        acts: impl IntoIterator<Item = (usize, impl Future<Output = Result<T, WriteFailure>>)>,
    ) -> Gathered<T> {
        let mut asked = Vec::new();
        let mut running = FuturesUnordered::new();
        for (drive, act) in acts {
            asked.push(drive);
            running.push(async move { (drive, act.await) });
        }
        let (mut done, mut answered) = (0, DriveMask::default());
        let mut outcomes = Vec::with_capacity(asked.len());
        let mut deadline = Instant::now() + self.all;
        while let Ok(Some((drive, outcome))) = timeout_at(deadline, running.next()).await {
            answered.insert(drive);
            if outcome.is_ok() {
                done += 1;
                if done == enough {
                    deadline = deadline.min(Instant::now() + self.laggard);
                }
            }
            outcomes.push((drive, outcome));
        }
        asked.retain(|drive| !answered.has(*drive));
        Gathered {
            outcomes,
            late: asked,
        }
    }
}

impl Set {
    /// Does one thing with each drive, `enough` of which must succeed. One that
    /// is late is fenced.
    pub(crate) async fn in_time<T>(
        &self,
        patience: Patience,
        enough: usize,
        acts: impl IntoIterator<Item = (usize, impl Future<Output = Result<T, WriteFailure>>)>,
    ) -> Vec<(usize, Result<T, WriteFailure>)> {
        let Gathered { mut outcomes, late } = patience.gather(enough, acts).await;
        for drive in late {
            if let Some(Some(disk)) = self.disks.get(drive) {
                disk.fence("it did not take bytes in time");
            }
            outcomes.push((drive, Err(WriteFailure::Fenced)));
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives that answer after so many seconds, or not with success.
    async fn check(answers: &[Result<u64, u64>], late: &[usize], after_secs: u64) {
        let begun = Instant::now();
        let acts = answers.iter().copied().enumerate().map(|(drive, answer)| {
            let act = async move {
                let (Ok(secs) | Err(secs)) = answer;
                tokio::time::sleep(Duration::from_secs(secs)).await;
                answer.map_err(|_| WriteFailure::Fenced)
            };
            (drive, act)
        });
        let gathered = WRITES.gather(3, acts).await;
        assert_eq!(gathered.late, late, "late of {answers:?}");
        assert_eq!(begun.elapsed().as_secs(), after_secs, "{answers:?}");
        let expected = answers.len() - late.len();
        assert_eq!(gathered.outcomes.len(), expected, "{answers:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long_once_enough_drives_are_done() {
        check(&[], &[], 0).await;
        check(&[Ok(0), Ok(1), Ok(2), Ok(3)], &[], 3).await;
        check(&[Ok(0), Ok(1), Ok(2), Ok(6)], &[], 6).await;
        check(&[Ok(9), Ok(0), Ok(1), Ok(2)], &[0], 7).await;
        check(&[Ok(99), Ok(0), Ok(0), Ok(0), Ok(99)], &[0, 4], 5).await;
        // All are slow: none is slower than the others.
        check(&[Ok(28), Ok(29), Ok(28), Ok(29)], &[], 29).await;
        // Those that fail are not among those that are enough.
        check(&[Err(0), Err(0), Ok(0), Ok(0), Ok(20)], &[], 20).await;
        check(&[Err(0), Ok(0), Ok(0), Ok(99)], &[3], 30).await;
        check(&[Ok(99), Ok(99), Ok(99)], &[0, 1, 2], 30).await;
    }
}

//! How guests are stopped that take too long.
//!
//! Guests look at a counter, which a thread increments every [`TICK`]. When it
//! reaches their deadline, the time their thread spent running decides: a guest
//! that had to wait for a processor gets the rest of its time, up to a bound on
//! all its time together, in which also waits for the host count. And because a
//! virtual machine may count the time for which its host took the processor
//! away, a guest is stopped only when it is seen running once more after its time
//! was up. So a busy machine answers late, and not wrongly.
//!
//! A host call that waits does so for no longer than [`Clock::left`]; a guest that
//! goes on after it is looked at by the same deadline as any other.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, UpdateDeadline};

use crate::failure::{Failure, FailureKind};

const TICK: Duration = Duration::from_millis(1);

/// For how long a guest must still be running after its time was up: seen at one
/// tick and at the next.
const GRACE: Duration = Duration::from_micros(500);

/// What one call into a guest may take, or several together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Processor time.
    pub(crate) cpu: Duration,
    /// Time by the clock on the wall.
    pub(crate) wall: Duration,
}

impl Budget {
    pub(crate) fn min(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.min(other.cpu),
            wall: self.wall.min(other.wall),
        }
    }

    /// What is left after this was spent.
    pub(crate) fn less(self, spent: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(spent.cpu),
            wall: self.wall.saturating_sub(spent.wall),
        }
    }

    pub(crate) fn is_spent(self) -> bool {
        self.cpu.is_zero() || self.wall.is_zero()
    }
}

/// The time of one call into a guest.
#[derive(Debug)]
pub(crate) struct Clock {
    budget: Budget,
    began: Instant,
    /// What its thread had been running for then, at most.
    began_cpu: Duration,
    /// When its time was first seen to be up.
    overran: Option<Duration>,
}

impl Clock {
    pub(crate) fn start(budget: Budget) -> Self {
        let began = Instant::now();
        Self {
            budget,
            began,
            began_cpu: thread_time_at_most(began),
            overran: None,
        }
    }

    /// The epochs after which to look at the clock for the first time.
    pub(crate) fn deadline(&self) -> u64 {
        ticks(self.budget.cpu.min(self.budget.wall))
    }

    /// Decides when the deadline has passed. A call stays on the thread that it
    /// began on, so it is the same clock.
    pub(crate) fn expired(&mut self) -> Result<UpdateDeadline, Failure> {
        let now = thread_time();
        let spent = now.saturating_sub(self.began_cpu);
        let cpu_left = self.budget.cpu.saturating_sub(spent);
        let left = cpu_left.min(self.wall_left());
        if !left.is_zero() {
            return Ok(UpdateDeadline::Continue(ticks(left)));
        }
        let overran = *self.overran.get_or_insert(now);
        if now.saturating_sub(overran) < GRACE {
            return Ok(UpdateDeadline::Continue(ticks(GRACE)));
        }
        Err(if cpu_left.is_zero() {
            Failure::new(FailureKind::Timeout, "more processor time than the limit")
        } else {
            overdue()
        })
    }

    /// What the call has taken so far.
    pub(crate) fn spent(&self) -> Budget {
        let now = Instant::now();
        Budget {
            cpu: thread_time_at_most(now).saturating_sub(self.began_cpu),
            wall: now.saturating_duration_since(self.began),
        }
    }

    /// For how long a host call may wait.
    pub(crate) fn left(&self) -> Result<Duration, Failure> {
        match self.wall_left() {
            Duration::ZERO => Err(overdue()),
            left => Ok(left),
        }
    }

    fn wall_left(&self) -> Duration {
        self.budget.wall.saturating_sub(self.began.elapsed())
    }
}

fn overdue() -> Failure {
    Failure::new(FailureKind::Timeout, "more time than the limit")
}

/// After how many ticks to look again when this time is left. The current one has
/// begun already, so that may be a little early: who looks early looks once more.
fn ticks(left: Duration) -> u64 {
    let ticks = left.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}

/// What the current thread has been running for at this moment, which is about
/// now; or a little more.
///
/// To ask for it is a system call, which costs a light plugin a tenth of its time.
/// Since it was last asked for, the thread cannot have been running for longer
/// than the clock on the wall says; so guests that are called soon after each
/// other share one call, and none is taken for longer at work than it is.
fn thread_time_at_most(now: Instant) -> Duration {
    const ASKED_AGAIN: Duration = Duration::from_millis(1);
    thread_local! {
        static ASKED: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    }
    if let Some((asked, time)) = ASKED.get() {
        let since = now.saturating_duration_since(asked);
        if since < ASKED_AGAIN {
            return time + since;
        }
    }
    let time = thread_time();
    ASKED.set(Some((now, time)));
    time
}

/// How long the current thread has been running on a processor.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Ticks, on a thread of its own, for as long as the engine exists: guests that
/// spin on all other threads cannot keep it from stopping them.
pub(crate) fn tick(engine: &Engine) -> std::io::Result<()> {
    // After a pause of the whole machine, all deadlines have passed anyway.
    const CATCH_UP_MAX: u128 = 10_000;
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("plugin-ticker".to_owned())
        .spawn(move || {
            let began = Instant::now();
            let mut ticks = 0;
            while let Some(engine) = engine.upgrade() {
                // On a busy machine a wake-up comes late. The ticks it missed are
                // made up for, so that a guest is stopped late by one of them
                // and not by the sum of all.
                let due = began.elapsed().as_micros() / TICK.as_micros();
                for _ in 0..(due - ticks).min(CATCH_UP_MAX) {
                    engine.increment_epoch();
                }
                ticks = due;
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn spin(time: Duration) {
        let began = thread_time();
        while thread_time() - began < time {}
    }

    #[test]
    fn a_guest_is_stopped_when_it_still_runs_after_either_time_was_up() {
        let nothing = Duration::ZERO;
        for (cpu, wall, reason) in [
            (LONG, LONG, None),
            (nothing, LONG, Some("more processor time than the limit")),
            (LONG, nothing, Some("more time than the limit")),
            (nothing, nothing, Some("more processor time than the limit")),
        ] {
            let mut clock = Clock::start(Budget { cpu, wall });
            // What was seen once may have been the machine's fault.
            assert!(clock.expired().is_ok(), "{cpu:?} {wall:?}");
            spin(2 * GRACE);
            let found = clock.expired().err().map(|failure| failure.reason);
            assert_eq!(found.as_deref(), reason, "{cpu:?} {wall:?}");
        }
    }

    #[test]
    fn what_a_guest_is_taken_to_have_used_is_never_more_than_it_has() {
        for _ in 0..1000 {
            let now = Instant::now();
            let at_most = thread_time_at_most(now);
            // A pause of which the thread's own clock does not know.
            std::thread::yield_now();
            let used = thread_time();
            assert!(at_most + now.elapsed() >= used, "{at_most:?} {used:?}");
        }
    }

    #[test]
    fn a_host_call_waits_for_no_longer_than_is_left() {
        let left = |wall| Clock::start(Budget { cpu: LONG, wall }).left();
        let most = left(LONG).unwrap();
        assert!(most <= LONG && most > LONG / 2, "{most:?}");
        let failure = left(Duration::ZERO).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout);
    }
}

//! How guests are stopped that take too long.
//!
//! Guests look at a counter, which a thread increments every [`TICK`]. When it
//! reaches their deadline, the time their thread spent running decides: a guest
//! that had to wait for a processor gets the rest of its time. And because a
//! virtual machine may count the time for which its host took the processor
//! away, a guest is stopped only when it is seen running once more after its time
//! was up. So a busy machine answers late, and not wrongly.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, UpdateDeadline};

const TICK: Duration = Duration::from_millis(1);

/// For how long a guest must still be running after its time was up.
const GRACE: Duration = Duration::from_millis(1);

/// The processor time of one call into a guest.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    began: Duration,
    cpu: Duration,
    /// When its time was first seen to be up.
    overran: Option<Duration>,
}

impl Clock {
    pub(crate) fn begin(&mut self, cpu: Duration) {
        self.began = thread_time();
        self.cpu = cpu;
        self.overran = None;
    }

    /// Decides when the deadline has passed. A call stays on the thread that it
    /// began on, so it is the same clock.
    pub(crate) fn expired(&mut self) -> UpdateDeadline {
        let now = thread_time();
        let left = self.cpu.saturating_sub(now.saturating_sub(self.began));
        if !left.is_zero() {
            return UpdateDeadline::Continue(ticks(left));
        }
        let overran = *self.overran.get_or_insert(now);
        if now.saturating_sub(overran) < GRACE {
            return UpdateDeadline::Continue(ticks(GRACE));
        }
        UpdateDeadline::Interrupt
    }
}

/// How many ticks last for at least this time. The current one has begun
/// already, so that one more makes a full measure.
pub(crate) fn ticks(time: Duration) -> u64 {
    let ticks = time.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(ticks)
        .unwrap_or(u64::MAX - 1)
        .saturating_add(1)
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

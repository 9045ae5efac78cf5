//! Guests that use up their time, beside others that have theirs.

use std::time::{Duration, Instant};

use host::Mode;

use crate::guest::{Guest, LOOP, chain, decide};
use crate::support::{CPU, authorizing, check};

/// About 20 ms of work, in a guest that may take 200.
fn patient() -> Guest {
    Guest::new().authorize(|image| {
        let allow = image.allow();
        format!(
            "(local $left i64) (local.set $left (i64.const 20000000))
             (loop (br_if 0 (i64.ne (i64.const 0)
                 (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
             (i32.const {allow})"
        )
    })
}

#[test]
fn one_deadline_does_not_shorten_another() {
    let hasty = || {
        authorizing(LOOP)
            .limits(|limits| limits.cpu = CPU)
            .mode(Mode::Shadow)
    };
    // Before it, and in the midst of it.
    assert_eq!(decide(&chain(&[hasty(), patient()])), "ok");
    let (hasty, patient) = (chain(&[hasty()]), chain(&[patient()]));
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| {
            for _ in 0..5 {
                assert_eq!(decide(&patient), "ok");
            }
        });
        while !patient.is_finished() {
            assert_eq!(decide(&hasty), "AccessDenied", "a shadow permits nothing");
        }
    });
}

#[test]
fn one_that_has_not_used_its_time_up_is_stopped_by_the_clock_on_the_wall() {
    let slow = authorizing(LOOP).limits(|limits| {
        limits.cpu = Duration::from_secs(60);
        limits.wall = CPU;
    });
    let began = Instant::now();
    check("timeout", slow);
    assert!(began.elapsed() < Duration::from_secs(10), "three times");
}

//! A guest that spins on every core.

use std::time::{Duration, Instant};

use sluice_tests::{ROOT, Request};

use crate::guest::{Guest, LOOP, chain, decide};
use crate::support::{authorizing, gateway};

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

#[test]
fn others_are_decided_meanwhile() {
    let spinning = chain(&[authorizing(LOOP)]);
    let fine = chain(&[Guest::allowing()]);
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| assert_eq!(decide(&spinning), "timeout"));
        }
        for _ in 0..cores() {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(decide(&fine), "ok");
                }
            });
        }
    });
}

#[test]
fn the_gateway_says_meanwhile_that_it_lives() {
    let (server, _folder) = gateway("spins", &authorizing(LOOP), "limits: {cpu: 500ms}");
    let spinning = Request::put("/bucket", "").signed(&ROOT);
    std::thread::scope(|scope| {
        // More than there are workers, for about two seconds.
        let clients: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| server.send(&spinning).refused(403, "AccessDenied")))
            .collect();
        let mut asked = 0;
        while !clients.iter().all(|client| client.is_finished()) {
            let began = Instant::now();
            server.ask_admin(&Request::get("/health/live")).expect(200);
            assert!(began.elapsed() < Duration::from_secs(2), "it answers late");
            asked += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(asked > 5, "it was asked {asked} times");
    });
}

//! A guest that calls the host as often as it can, with as much as it has.

use host::Grant;

use crate::guest::{Guest, constants};
use crate::support::{CPU, authorizing, check};

#[test]
fn a_loop_around_host_calls_ends() {
    let asking = || {
        authorizing("(loop (drop (call $operation)) (br 0)) (unreachable)").import(
            "request",
            "operation",
            "(result i32)",
        )
    };
    check("host_calls", asking());
    check(
        "timeout",
        asking().limits(|limits| {
            limits.host_calls = u32::MAX;
            limits.cpu = CPU;
        }),
    );
}

#[test]
fn what_the_host_does_for_it_counts_as_its_time() {
    // Each call hashes as much as may be handed out.
    let hashing = |len: usize| {
        let guest = Guest::new()
            .import("identity", "sha256", "(param i32 i32 i32)")
            .grant(Grant::Identity)
            .pages(128);
        guest.authorize(|_| {
            let arguments = constants([65536, len, 60000]);
            format!("(loop (call $sha256 {arguments}) (br 0)) (unreachable)")
        })
    };
    check("output", hashing(1 << 20));
    check(
        "timeout",
        hashing(60 << 10).limits(|limits| {
            limits.host_calls = u32::MAX;
            limits.output = usize::MAX >> 1;
            limits.cpu = CPU;
        }),
    );
}

#[test]
fn it_cannot_have_the_host_copy_more_than_it_has_memory_for() {
    // The results are placed by the guest's own allocator, which never says no.
    let reading = authorizing("(loop (call $headers (i32.const 60000)) (br 0)) (unreachable)")
        .import("request", "headers", "(param i32)")
        .limits(|limits| limits.host_calls = u32::MAX);
    // It comes to the end of its memory, and is told that it is not its own.
    check("invalid", reading);
}

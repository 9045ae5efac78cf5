//! A guest that counts the requests it has seen, and looks for what others left.

use crate::guest::{Guest, LOOP, chain, chain_on, code, decide, facts, resource};
use crate::support::CPU;

/// Permits the first call of an instance only; counts in a global and in memory.
fn counting() -> Guest {
    Guest::new().authorize(|image| {
        let (allow, deny) = (image.allow(), image.deny("Again"));
        format!(
            "(global.set $count (i32.add (global.get $count) (i32.const 1)))
             (i32.store (i32.const 200000) (i32.add (i32.load (i32.const 200000)) (i32.const 1)))
             (select (i32.const {allow}) (i32.const {deny})
                (i32.and (i32.eq (global.get $count) (i32.const 1))
                         (i32.eq (i32.load (i32.const 200000)) (i32.const 1))))"
        )
    })
}

#[test]
fn a_counter_of_a_fresh_instance_always_reads_one() {
    let fresh = chain(&[counting()]);
    for _ in 0..200 {
        assert_eq!(decide(&fresh), "ok");
    }
    // All accesses of a request are decided in the same one.
    let get = facts("GET", "/prod-a/key");
    let mut run = fresh.begin(get.clone());
    assert_eq!(code(&run.authorize(&resource(&get))), "ok");
    assert_eq!(code(&run.authorize(&resource(&get))), "Again");
}

#[test]
fn a_counter_of_one_that_is_reused_goes_on() {
    let reused = chain(&[counting().reused()]);
    assert_eq!(decide(&reused), "ok");
    assert_eq!(decide(&reused), "Again");
}

/// Traps where any byte of its memory is not as it must be when it begins. The
/// first few of its heap are the settings.
fn searching(pages: u32) -> Guest {
    Guest::new().pages(pages).authorize(|image| {
        let allow = image.allow();
        let end = pages * 65536;
        format!(
            "(local $at i32) (local.set $at (i32.const 65600))
             (loop
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const {end}))))
             (i32.const {allow})"
        )
    })
}

/// Fills its memory, and then ends in this way.
fn filling(pages: u32, end: &str) -> Guest {
    let len = (pages - 1) * 65536;
    Guest::new()
        .pages(pages)
        .limits(|limits| limits.cpu = CPU * 10)
        .authorize(|_| {
            format!("(memory.fill (i32.const 65536) (i32.const 90) (i32.const {len})) {end}")
        })
}

#[test]
fn memory_that_one_wrote_is_not_seen_by_the_next_in_its_place() {
    // With one place, the next is in it.
    let settings = host::Settings {
        instances_max: 1,
        ..host::Settings::default()
    };
    let host = host::Host::new(settings).unwrap();
    // Less, as much and more than what stays mapped from one to the next.
    for pages in [2, 4, 5, 64] {
        let next = chain_on(&host, &[searching(pages)]);
        for end in ["(unreachable)", LOOP, "(i32.const 3)"] {
            let before = chain_on(&host, &[filling(pages, end)]);
            for _ in 0..3 {
                assert_ne!(decide(&before), "ok");
                assert_eq!(decide(&next), "ok", "{pages} pages, {end}");
            }
        }
    }
}

#[test]
fn memory_that_one_grew_into_is_not_seen_either() {
    let settings = host::Settings {
        instances_max: 1,
        ..host::Settings::default()
    };
    let host = host::Host::new(settings).unwrap();
    let growing = Guest::new().authorize(|_| {
        "(drop (memory.grow (i32.const 100)))
         (memory.fill (i32.const 65536) (i32.const 90) (i32.const 6750208))
         (unreachable)"
            .to_owned()
    });
    let before = chain_on(&host, &[growing]);
    let next = chain_on(&host, &[searching(104)]);
    for _ in 0..3 {
        assert_eq!(decide(&before), "trap");
        assert_eq!(decide(&next), "ok");
    }
}

//! A guest that writes to all of its memory, over and over.

use crate::guest::Guest;
use crate::support::{CPU, check};

const PAGES: u32 = 128;
const FROM: u32 = 65536;
const LEN: u32 = (PAGES - 1) * FROM;

#[test]
fn it_is_survived_and_not_seen_by_the_next() {
    // Traps where anything but zeros was left.
    let dirty = Guest::new().pages(PAGES).authorize(|image| {
        let allow = image.allow();
        format!(
            "(if (i32.load8_u (i32.const 8000000)) (then (unreachable)))
             (if (i32.load8_u (i32.const 100000)) (then (unreachable)))
             (memory.fill (i32.const {FROM}) (i32.const 255) (i32.const {LEN}))
             (i32.const {allow})"
        )
    });
    check("ok", dirty);
}

#[test]
fn it_does_not_outlast_its_time() {
    let filling = Guest::new()
        .pages(PAGES)
        .limits(|limits| limits.cpu = CPU)
        .authorize(|_| {
            format!(
                "(loop (memory.fill (i32.const {FROM}) (i32.const 255) (i32.const {LEN})) (br 0))
                 (unreachable)"
            )
        });
    check("timeout", filling);
}

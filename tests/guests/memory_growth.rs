//! A guest that wants more memory than it may have.

use host::LoadError;

use crate::guest::{self, Guest};
use crate::support::check;

/// 8 MiB.
const PAGES_MAX: u32 = 128;

/// Grows by so many pages, and crashes where that is refused.
fn growing(pages: u32) -> Guest {
    Guest::new().pages(4).authorize(|image| {
        let allow = image.allow();
        format!(
            "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then (unreachable)))
             (i32.const {allow})"
        )
    })
}

#[test]
fn memory_grows_to_the_limit_and_not_beyond() {
    check("ok", growing(PAGES_MAX - 4));
    check("memory", growing(PAGES_MAX - 3));
    check("memory", growing(65536 - 4));
}

#[test]
fn one_that_does_not_mind_is_not_disturbed() {
    let indifferent = Guest::new().authorize(|image| {
        let allow = image.allow();
        format!("(drop (memory.grow (i32.const 1000))) (i32.const {allow})")
    });
    check("ok", indifferent);
}

#[test]
fn it_cannot_begin_above_the_limit() {
    let error = guest::host()
        .load(Guest::new().pages(PAGES_MAX + 1).source())
        .unwrap_err();
    assert!(matches!(error, LoadError::Limits { .. }), "{error}");
    check("ok", Guest::allowing().pages(PAGES_MAX));
}

#[test]
fn a_second_memory_is_refused() {
    let error = guest::host()
        .load(Guest::new().define("(memory 1)").source())
        .unwrap_err();
    assert!(matches!(error, LoadError::NotAComponent { .. }), "{error}");
}

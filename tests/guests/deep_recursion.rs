//! A guest that recurses until there is no stack, and others that crash.

use crate::guest::Guest;
use crate::support::{authorizing, check};

#[test]
fn it_stays_inside() {
    let deep = Guest::new().authorize(|_| "(call $start) (unreachable)".to_owned());
    let deep = deep
        .start("(if (global.get $count) (then (call $start))) (global.set $count (i32.const 1))");
    check("trap", deep);
}

#[test]
fn crashes_stay_inside() {
    check("trap", authorizing("(unreachable)"));
    check(
        "trap",
        authorizing("(i32.div_u (i32.const 1) (i32.const 0))"),
    );
    check("trap", authorizing("(i32.load (i32.const -4))"));
    // A result outside of its memory, and one that is no result.
    check("invalid", authorizing("(i32.const -4)"));
    check("invalid", authorizing("(i32.const 3)"));
}

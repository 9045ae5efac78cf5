//! The plugin without a gateway.

use rate_limit::RateLimit;
use sluice_plugin::prelude::*;
use sluice_plugin::testing;

#[test]
fn the_cases_come_out_as_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    testing::cases::check_native::<RateLimit>(&folder);
}

#[test]
fn the_window_slides_over_the_requests() {
    let settings = Settings::from_json(r#"{"requests": 2, "window": "10s"}"#);
    let plugin = RateLimit::configure(settings).unwrap();
    let counters = testing::Counters::default();
    let check = |at_ms: u64, passes: bool| {
        let request = testing::Request::get("bucket", "key").counting(&counters);
        let prepared = request.at_ms(at_ms).prepare(&plugin);
        assert_eq!(prepared.answer.is_ok(), passes, "at {at_ms}");
    };
    check(0, true);
    check(6_000, true);
    check(9_999, false);
    // What was refused was asked, so it counts.
    check(10_001, false);
    check(30_000, true);
}

#[test]
fn uses_with_other_windows_do_not_disturb_each_other() {
    let counters = testing::Counters::default();
    let check = |settings: &str, at_ms: u64, passes: bool| {
        let plugin = RateLimit::configure(Settings::from_json(settings)).unwrap();
        let request = testing::Request::get("bucket", "key").counting(&counters);
        let prepared = request.at_ms(at_ms).prepare(&plugin);
        assert_eq!(prepared.answer.is_ok(), passes, "{settings} at {at_ms}");
    };
    let (brief, long) = (
        r#"{"requests": 1, "window": "1s"}"#,
        r#"{"requests": 2, "window": "1h"}"#,
    );
    check(brief, 0, true);
    check(long, 0, true);
    check(brief, 500, false);
    check(long, 5_000, true);
    check(brief, 5_000, true);
    check(long, 10_000, false);
}

#[test]
fn settings_are_checked() {
    let check = |json: &str, message: &str| {
        let refused = RateLimit::configure(Settings::from_json(json)).unwrap_err();
        assert_eq!(refused, message, "{json}");
    };
    check("{}", "`requests` is missing");
    check(r#"{"requests": 0}"#, "`requests` must be at least 1");
    check(
        r#"{"requests": 1, "window": "500ms"}"#,
        "`window` must be at least 1s",
    );
    check(
        r#"{"requests": 1, "per": "adress"}"#,
        "`per` must be one of `principal`, `address`; did you mean `address`?",
    );
}

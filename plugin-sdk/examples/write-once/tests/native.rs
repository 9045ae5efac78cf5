//! The plugin without a gateway.

use sluice_plugin::prelude::*;
use sluice_plugin::testing;
use write_once::WriteOnce;

#[test]
fn the_cases_come_out_as_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    testing::cases::check_native::<WriteOnce>(&folder);
}

#[test]
fn a_window_is_needed() {
    let check = |json: &str, message: &str| {
        let refused = WriteOnce::configure(Settings::from_json(json)).unwrap_err();
        assert_eq!(refused, message, "{json}");
    };
    check("{}", "`window` is missing");
    check(r#"{"window": "0s"}"#, "`window` must be at least 1s");
}

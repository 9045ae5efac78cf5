//! The plugin without a gateway.

use jwt_bearer::JwtBearer;
use sluice_plugin::prelude::*;
use sluice_plugin::testing;

#[test]
fn the_cases_come_out_as_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    testing::cases::check_native::<JwtBearer>(&folder);
}

#[test]
fn a_secret_is_named_and_not_given() {
    let check = |json: &str, message: &str| {
        let refused = JwtBearer::configure(Settings::from_json(json)).unwrap_err();
        assert_eq!(refused, message, "{json}");
    };
    check("{}", "`secret` is missing");
    check(r#"{"secret": ""}"#, "`secret` must not be empty");
    check(
        r#"{"secret": "a", "leeway": "2h"}"#,
        "`leeway` must be at most 1h",
    );
}

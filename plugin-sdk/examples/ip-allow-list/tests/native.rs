//! The plugin without a gateway.

use ip_allow_list::IpAllowList;
use sluice_plugin::prelude::*;
use sluice_plugin::testing;

#[test]
fn an_address_is_in_a_network_by_its_first_bits() {
    let check = |network: &str, address: &str, expected: bool| {
        let settings = format!(r#"{{"allow": ["{network}"]}}"#);
        let plugin = IpAllowList::configure(Settings::from_json(&settings)).unwrap();
        let request = testing::Request::get("bucket", "key").from(address);
        let passes = request.authorize(&plugin) == Vote::Abstain;
        assert_eq!(passes, expected, "{address} in {network}");
    };
    check("10.0.0.0/8", "10.255.255.255", true);
    check("10.0.0.0/8", "11.0.0.0", false);
    check("10.0.0.0/8", "9.255.255.255", false);
    check("192.0.2.7", "192.0.2.7", true);
    check("192.0.2.7", "192.0.2.6", false);
    check("192.0.2.6/31", "192.0.2.7", true);
    check("0.0.0.0/0", "255.255.255.255", true);
    check("0.0.0.0/0", "::1", false);
    check("::/0", "::1", true);
    check("::/0", "192.0.2.7", false);
    check("2001:db8::/33", "2001:db8:7fff::1", true);
    check("2001:db8::/33", "2001:db8:8000::1", false);
    check("2001:db8::1/128", "2001:db8::1", true);
    check("10.0.0.0/8", "::ffff:10.1.2.3", true);
    check("::ffff:10.0.0.0/104", "10.255.255.255", true);
    check("::ffff:10.0.0.0/104", "::ffff:11.0.0.0", false);
    check("::ffff:192.0.2.7", "192.0.2.7", true);
    check("::ffff:0:0/96", "192.0.2.7", true);
    check("::ffff:0:0/96", "::1", false);
    check("10.0.0.0/8", "no address", false);
}

#[test]
fn what_is_no_network_is_refused() {
    let check = |json: &str, message: &str| {
        let refused = IpAllowList::configure(Settings::from_json(json)).unwrap_err();
        assert!(refused.contains(message), "{json}: {refused}");
    };
    check("{}", "`allow` is missing");
    check(r#"{"allow": []}"#, "`allow` must not be empty");
    for odd in [
        "",
        "/",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "::ffff:10.0.0.0/95",
        "::ffff:10.0.0.1/104",
        "10.0.0.1/8",
        "10.0.0/8",
        "::/129",
        "2001:db8::1/64",
        "10.0.0.0/8 ",
        "localhost",
    ] {
        let settings = format!(r#"{{"allow": ["::1", "{odd}"]}}"#);
        check(&settings, "`allow[1]` must be an address or a network");
    }
}

#[test]
fn the_cases_come_out_as_written() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    testing::cases::check_native::<IpAllowList>(&folder);
}

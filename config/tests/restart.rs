//! What of a configuration can be swapped in a running gateway.

use std::path::Path;

use config::Config;

const RUNNING: &str = "
version: 1
listeners: [{address: \"127.0.0.1:9000\", limits: {connections: 5}}]
admin: {address: \"127.0.0.1:9001\"}
storage: {data: /data, sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
region: eu-central-1
accounts: [{id: me}]
plugins: {auth: {source: builtin:auth}}
chain: [{use: auth}]
decisions: {file: log, keep: 5}
plugin_cache: /cache
";

fn parse(text: &str) -> Config {
    Config::parse(text, "sluice.yaml", Path::new("/etc"))
        .unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn a_change_that_needs_a_restart_is_named_with_its_place() {
    let changed = |from: &str, to: &str| -> Vec<(String, usize)> {
        assert!(RUNNING.contains(from), "{from}");
        let needed = parse(&RUNNING.replacen(from, to, 1)).restart_needed(&parse(RUNNING));
        let shown = needed.into_iter();
        shown.map(|found| (found.path, found.line)).collect()
    };
    let at = |path: &str, line| vec![(path.to_owned(), line)];
    for (from, to, expected) in [
        ("", "\n# Only the places are others.\n", vec![]),
        ("/data", "/data/../data/.", vec![]),
        ("{id: me}", "{id: me}, {id: you}", vec![]),
        ("{auth: ", "{acl: {source: builtin:acl}, auth: ", vec![]),
        ("[{use: auth}]", "[{use: auth, mode: shadow}]", vec![]),
        ("[{use: auth}]", "[{use: auth}]\nenforced: [auth]", vec![]),
        ("", "\nuploads: {expire_after: 1d}\n", vec![]),
        ("keep: 5", "keep: 6", at("decisions", 10)),
        ("eu-central-1", "eu-central-2", vec![]),
        ("connections: 5", "connections: 6", at("listeners", 3)),
        ("9000", "9002", at("listeners", 3)),
        ("9001", "9002", at("admin", 4)),
        ("admin: {address: \"127.0.0.1:9001\"}\n", "", at("", 2)),
        (
            "/data",
            "/data2",
            vec![("storage".to_owned(), 5), ("decisions".to_owned(), 10)],
        ),
        ("[a, b]", "[a, c]", at("storage", 5)),
        ("file: log", "file: log2", at("decisions", 10)),
        ("file: log, ", "", at("decisions", 10)),
        ("/cache", "off", at("plugin_cache", 11)),
        ("plugin_cache: /cache\n", "", at("", 2)),
    ] {
        assert_eq!(changed(from, to), expected, "{from} -> {to}");
    }
}

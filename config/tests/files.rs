//! What is asked of files, directories and the environment.

use std::fs;
use std::path::Path;

use config::{Config, Diagnostic, Overrides, Report, Secret};

fn parse(text: &str, base: &Path) -> Config {
    Config::parse(text, "sluice.yaml", base).unwrap_or_else(|report| panic!("{report}"))
}

fn paths(report: &Result<(), Report>) -> Vec<(&str, &str)> {
    let diagnostics = report
        .as_ref()
        .err()
        .map(|report| report.diagnostics.as_slice());
    diagnostics
        .unwrap_or_default()
        .iter()
        .map(|found| (found.path.as_str(), found.message.as_str()))
        .collect()
}

#[test]
fn a_drive_that_is_not_there_keeps_a_gateway_from_making_a_store_but_not_from_using_one() {
    /// What is on a drive: nothing, an empty directory, or a store.
    #[derive(Clone, Copy, PartialEq)]
    enum Drive {
        Gone,
        Empty,
        Used,
        File,
    }
    use Drive::{Empty, File, Gone, Used};

    for (drives, refused, missing) in [
        // Nothing is there: everything will be made.
        ([Gone, Gone, Gone], vec![], vec![]),
        ([Empty, Empty, Empty], vec![], vec![]),
        ([Used, Used, Used], vec![], vec![]),
        // One that is not mounted must not become a directory of its parent.
        ([Empty, Gone, Empty], vec!["data/b is missing"], vec![]),
        ([Used, Gone, Used], vec![], vec!["data/b is missing"]),
        ([Used, Empty, Used], vec![], vec!["data/b is empty"]),
        (
            [Used, Gone, Empty],
            vec![],
            vec!["data/b is missing", "data/c is empty"],
        ),
        (
            [Used, File, Used],
            vec!["data/b is not a directory"],
            vec![],
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        let config = parse(
            "
version: 1
storage: {data: data, sets: [{drives: [a, b, c], data_shards: 2, parity_shards: 1}]}
accounts: [{id: me}]
",
            base,
        );
        for (name, drive) in ["a", "b", "c"].into_iter().zip(drives) {
            let path = base.join("data").join(name);
            fs::create_dir_all(base.join("data")).unwrap();
            if drive == File {
                fs::write(&path, "").unwrap();
            } else if drive != Gone {
                fs::create_dir_all(path.join("lost+found")).unwrap();
            }
            if drive == Used {
                fs::write(path.join("format"), "").unwrap();
            }
        }
        let shown = |complaints: Vec<Diagnostic>, expected: Vec<&str>| {
            assert_eq!(complaints.len(), expected.len(), "{complaints:?}");
            for (found, expected) in complaints.iter().zip(expected) {
                assert!(found.path.starts_with("storage.sets[0].drives["));
                assert!(found.message.contains(expected), "{found}, not {expected}");
            }
        };
        let files = config.check_files();
        shown(
            files.map_or_else(|report| report.diagnostics, |()| Vec::new()),
            refused,
        );
        shown(config.missing_drives(), missing);
    }
}

#[test]
fn every_file_that_is_named_and_missing_is_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    let text = format!(
        "
version: 1
listeners: [{{address: \"127.0.0.1:9000\", tls: {{certificate: c.pem, key: k.pem}}}}]
storage:
  data: nowhere/data
  sets: [{{drives: [a, {0}/unmounted/b], data_shards: 1, parity_shards: 1}}]
accounts: [{{id: me}}]
plugins: {{p: {{source: \"file:p.wasm\"}}}}
chain: []
",
        base.display()
    );
    let config = parse(&text, base);
    let report = config.check_files();
    let found: Vec<_> = paths(&report).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        found,
        [
            "listeners[0].tls",
            "listeners[0].tls",
            "storage.data",
            "storage.sets[0].drives[1]",
            "plugins.p",
        ]
    );
    for file in ["c.pem", "k.pem", "p.wasm"] {
        fs::write(base.join(file), "").unwrap();
    }
    fs::create_dir_all(base.join("nowhere")).unwrap();
    fs::create_dir_all(base.join("unmounted")).unwrap();
    assert_eq!(paths(&config.check_files()), []);
}

#[test]
fn a_data_directory_that_does_not_exist_yet_can_be_spelled_in_any_way() {
    for data in [
        "fresh-data",
        "./fresh-data",
        "x/../fresh-data",
        "./././fresh-data/",
    ] {
        let overrides = Overrides {
            data: Some(data.into()),
            ..Overrides::default()
        };
        let config = Config::embedded(&overrides).unwrap();
        assert_eq!(paths(&config.check_files()), [], "{data}");
        assert_eq!(config.storage.data, Path::new("fresh-data"), "{data}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported_like_any_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sluice.yaml");
    let report = Config::load(&path).unwrap_err();
    assert!(report.to_string().contains("cannot be read"), "{report}");
    fs::write(&path, b"version: 1\nregion: \xff\n").unwrap();
    let report = Config::load(&path).unwrap_err();
    let found = &report.diagnostics[0];
    assert_eq!((found.line, found.column), (2, 9), "{report}");
    assert!(found.message.contains("UTF-8"), "{report}");
}

#[test]
fn keys_are_looked_up_and_all_that_are_missing_are_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    fs::create_dir(base.join("sluice-data")).unwrap();
    fs::write(base.join("sluice-data/secret"), "from-the-file\n").unwrap();
    fs::write(base.join("sluice-data/short"), "short\n").unwrap();
    let config = |keys: &str| {
        parse(
            &format!(
                "
version: 1
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts:
  - {{id: one, keys: [{{access_key: literal, secret_key: {{file: secret}}}}]}}
  - {{id: two, keys: [{keys}]}}
"
            ),
            base,
        )
    };
    let env = |name: &str| match name {
        "ACCESS" => Some("from-the-environment".to_owned()),
        "SAME" => Some("literal".to_owned()),
        "SPACES" => Some("spaces are not allowed".to_owned()),
        _ => None,
    };

    let found = config("{access_key: {env: ACCESS}, secret_key: sesame-sesame}");
    let found = found.credentials_from(env).unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|c| {
            (
                c.account.as_str(),
                c.access_key.as_str(),
                c.secret_key.expose(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("one", "literal", "from-the-file"),
            ("two", "from-the-environment", "sesame-sesame"),
        ]
    );
    assert!(!format!("{found:?}").contains("from-the-file"));

    for (keys, messages) in [
        (
            "{access_key: {env: UNSET}, secret_key: {file: missing}}",
            vec!["variable UNSET is not set", "missing cannot be read"],
        ),
        (
            "{access_key: {env: SPACES}, secret_key: {file: short}}",
            vec!["variable SPACES has no usable", "short has no usable"],
        ),
        (
            "{access_key: {env: SAME}, secret_key: {file: secret}}",
            vec!["belongs to the account `one` already"],
        ),
    ] {
        let report = config(keys).credentials_from(env).unwrap_err();
        assert_eq!(report.diagnostics.len(), messages.len(), "{report}");
        for (found, message) in report.diagnostics.iter().zip(messages) {
            assert_eq!(found.path, "accounts[1].keys[0]", "{report}");
            assert!(found.message.contains(message), "{report}");
        }
    }
}

#[test]
fn a_key_from_the_environment_follows_the_rules_of_keys() {
    let overrides = Overrides {
        access_key: Some(Secret::new("AKIA")),
        secret_key: Some(Secret::new("short")),
        ..Overrides::default()
    };
    let config = Config::embedded(&overrides).unwrap();
    let report = config.credentials().unwrap_err();
    assert!(report.diagnostics[0].help.contains("8 to 128"), "{report}");
}

#[test]
fn a_configuration_is_read_again_from_where_it_came_with_the_same_overrides() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    let path = base.join("sluice.yaml");
    let text = |region: &str| {
        format!(
            "version: 1
region: {region}
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: root, keys: [{{access_key: {{file: access}}, secret_key: sesame-sesame}}]}}]
plugins:
  auth: {{source: 'builtin:auth', grants: [identity, clock]}}
  acl:
    source: 'file:acl.wasm'
    grants: [secrets, http]
    secrets: {{pepper: {{file: pepper}}}}
    endpoints: {{opa: {{url: 'https://opa.test/', headers: {{authorization: {{file: token}}}}}}}}
chain: [{{use: auth}}, {{use: acl}}]
"
        )
    };
    fs::write(&path, text("eu-west-1")).unwrap();
    let overrides = Overrides {
        data: Some(base.join("elsewhere")),
        ..Overrides::default()
    };
    let first = Config::load_with(&path, &overrides).unwrap();
    fs::write(&path, text("eu-west-2")).unwrap();
    let second = first.reread().unwrap();
    assert_eq!(
        (&*first.region, &*second.region),
        ("eu-west-1", "eu-west-2")
    );
    assert_eq!(second.storage.data, base.join("elsewhere"));
    assert_eq!(second.path(), Some(&*path));
    let files = second.reloaded_files().into_iter().collect::<Vec<_>>();
    let expected = [
        "acl.wasm",
        "elsewhere/access",
        "elsewhere/pepper",
        "elsewhere/token",
        "sluice.yaml",
    ];
    assert_eq!(files, expected.map(|name| base.join(name)));

    // What came from no file is what it was.
    let parsed = Config::parse(&text("us-east-1"), "test.yaml", base).unwrap();
    assert_eq!(parsed.reread().unwrap().region, "us-east-1");
    assert_eq!(parsed.path(), None);
}

//! The binary as a person starts it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use support::{Gateway, PATIENCE, get, sluice};

/// `sluice check`: whether it succeeded, and all that it said.
fn check(folder: &Path, args: &[&str]) -> (bool, String) {
    sluice(folder, &[&["check"], args].concat())
}

#[test]
fn the_first_start_makes_six_drives_and_credentials_that_only_the_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path(), &[]);
    let data = folder.path().join("sluice-data");
    for drive in 1..=6 {
        assert!(data.join(format!("drive{drive}")).is_dir(), "drive{drive}");
    }
    for name in ["root.access-key", "root.secret-key"] {
        let path = data.join(name);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{name}"
        );
        let value = fs::read_to_string(&path).unwrap();
        assert!(gateway.banner.contains(value.trim()), "{name} is printed");
    }
}

#[test]
fn a_second_start_keeps_the_credentials_and_does_not_print_the_secret_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Gateway::start(folder.path(), &[]);
    let secret = fs::read_to_string(folder.path().join("sluice-data/root.secret-key")).unwrap();
    first.signal(rustix::process::Signal::TERM);
    assert_eq!(first.wait(), Some(0));

    let second = Gateway::start(folder.path(), &[]);
    assert!(!second.banner.contains(secret.trim()));
    assert_eq!(
        fs::read_to_string(folder.path().join("sluice-data/root.secret-key")).unwrap(),
        secret
    );
}

#[test]
fn credentials_from_the_environment_are_used_and_not_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let envs = [
        ("SLUICE_ROOT_ACCESS_KEY", "ENVIRONMENTACCESSKEY"),
        ("SLUICE_ROOT_SECRET_KEY", "environment-secret-environment"),
    ];
    let gateway = Gateway::start(folder.path(), &envs);
    let command =
        "AWS_ACCESS_KEY_ID=ENVIRONMENTACCESSKEY AWS_SECRET_ACCESS_KEY=\"$SLUICE_ROOT_SECRET_KEY\" ";
    assert!(gateway.banner.contains(command), "{}", gateway.banner);
    assert!(!gateway.banner.contains("environment-secret"));
    assert!(!folder.path().join("sluice-data/root.secret-key").exists());
}

#[test]
fn signatures_are_taken_for_the_region_that_is_configured_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "\
version: 1
admin: {address: 127.0.0.1:9001}
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
region: eu-central-1
accounts: [{id: root, keys: [{access_key: AKIAROOT, secret_key: sesame-sesame}]}]
";
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    let gateway = Gateway::start_with(folder.path(), &["--config", "sluice.yaml"], &[]);
    assert!(gateway.banner.contains("AWS_DEFAULT_REGION=eu-central-1"));
    // The scope is looked at before the time, which was long ago.
    for (region, expected) in [
        ("eu-central-1", "<Code>RequestTimeTooSkewed</Code>"),
        ("us-east-1", "<Region>eu-central-1</Region>"),
    ] {
        let headers = format!(
            "x-amz-date: 20260101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=AKIAROOT/20260101/{region}/s3/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={:064}\r\n",
            0
        );
        let reply = get(gateway.address(), "/", &headers).unwrap();
        assert!(reply.contains(expected), "{region}: {reply}");
    }
}

#[test]
fn ctrl_c_and_sigterm_let_what_has_begun_finish_and_exit_with_0() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut gateway = Gateway::start(folder.path(), &[]);
        // A connection without a request must not hold the gateway up.
        let idle = TcpStream::connect(gateway.address()).unwrap();
        gateway.signal(signal);
        assert_eq!(gateway.wait(), Some(0), "{signal:?}");
        drop(idle);
    }
}

#[test]
fn a_lost_drive_is_named_and_not_made_anew_and_the_gateway_goes_on_without_it() {
    let folder = tempfile::tempdir().unwrap();
    Gateway::start(folder.path(), &[]).stop();
    let data = folder.path().join("sluice-data");
    assert!(check(folder.path(), &[]).0);

    // Of 4+2 drives, five acknowledge a write, and four are enough to read.
    for (lost, status, states) in [
        (
            "drive3",
            "200 OK",
            vec!["drive sluice-data/drive3 is missing"],
        ),
        (
            "drive5",
            "503 Service Unavailable",
            vec!["not ready", "drive3 is missing", "drive5 is missing"],
        ),
    ] {
        fs::remove_dir_all(data.join(lost)).unwrap();
        let (good, said) = check(folder.path(), &[]);
        assert!(
            !good && said.contains(&format!("{lost} is missing")),
            "{said}"
        );

        let gateway = Gateway::start(folder.path(), &[]);
        let ready = gateway.readiness();
        assert!(ready.starts_with(&format!("HTTP/1.1 {status}")), "{ready}");
        for state in states {
            assert!(ready.contains(state), "{state} in {ready}");
        }
        gateway.stop();
        assert!(!data.join(lost).exists(), "{lost} was made anew");
    }
}

#[test]
fn a_gateway_whose_output_nobody_takes_serves() {
    let folder = tempfile::tempdir().unwrap();
    // Port 0 would be told only in the output.
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = port.local_addr().unwrap().to_string();
    drop(port);
    // Everything that is written there fails.
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", &admin])
        .current_dir(folder.path())
        .stdout(full())
        .stderr(full())
        .spawn()
        .unwrap();
    let mut gateway = Gateway {
        child,
        banner: String::new(),
    };
    let begun = Instant::now();
    let ready = || get(&admin, "/health/ready", "");
    while !ready().is_ok_and(|reply| reply.starts_with("HTTP/1.1 200")) {
        assert!(begun.elapsed() < PATIENCE, "the gateway is not ready");
        assert_eq!(gateway.child.try_wait().unwrap(), None, "the gateway ended");
        thread::sleep(Duration::from_millis(20));
    }
    gateway.stop();
}

#[test]
fn check_finds_no_mistake_in_the_embedded_default_and_fails_on_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let (good, said) = check(folder.path(), &[]);
    assert!(good, "{said}");
    assert!(
        said.contains("7 plugins loaded, 7 steps in the chain"),
        "{said}"
    );

    let file = folder.path().join("bad.yaml");
    fs::write(&file, "version: 1\nlistners: []\nchain:\n  - use: nobody\n").unwrap();
    let (good, report) = check(folder.path(), &["--config", "bad.yaml"]);
    assert!(!good);
    for expected in [
        "bad.yaml:2:1",
        "listners",
        "listeners",
        "bad.yaml:4:",
        "nobody",
    ] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
}

#[test]
fn check_finds_what_only_the_start_would_run_into() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cert.pem"), "not a certificate").unwrap();
    fs::write(folder.path().join("key.pem"), "not a key").unwrap();
    let yaml = "\
version: 1
listeners:
  - address: 127.0.0.1:9000
    tls: {certificate: cert.pem, key: key.pem}
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts:
  - id: root
    keys:
      - {access_key: {env: SLUICE_TEST_IS_NOT_SET}, secret_key: sesame-sesame}
      - {access_key: same, secret_key: sesame-sesame}
      - {access_key: {file: key}, secret_key: sesame-sesame}
";
    fs::create_dir(folder.path().join("sluice-data")).unwrap();
    fs::write(folder.path().join("sluice-data/key"), "same\n").unwrap();
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    let (good, report) = check(folder.path(), &["--config", "sluice.yaml"]);
    assert!(!good);
    for expected in [
        "sluice.yaml:4:10: listeners[0].tls: the TLS private key key.pem cannot be used",
        "sluice.yaml:9:9: accounts[0].keys[0]: the environment variable SLUICE_TEST_IS_NOT_SET is not set",
        "sluice.yaml:11:9: accounts[0].keys[2]: the access key `same` belongs to the account `root` already",
        "3 errors",
    ] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
}

#[test]
fn check_points_at_every_setting_that_a_plugin_does_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "\
version: 1
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: root}]
chain:
  - use: auth
    settings:
      max_skew_s: soon
      region: [eu-central-1]
  - use: acl
  - use: location
    settings: {response: full}
";
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    let (good, report) = check(folder.path(), &["--config", "sluice.yaml"]);
    assert!(!good, "{report}");
    for expected in [
        "sluice.yaml:7:19: chain[0].settings.max_skew_s: a whole number is expected here, not `soon`",
        "sluice.yaml:8:7: chain[0].settings.region: unknown key `region`",
        "did you mean `regions`?",
        "sluice.yaml:11:26: chain[2].settings.response: `full` is not possible here",
        "3 errors",
    ] {
        assert!(report.contains(expected), "{expected} in {report}");
    }
}

#[test]
fn check_warns_of_what_is_probably_not_meant_and_fails_on_it_where_it_is_strict() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "\
version: 1
storage: {sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: root}]
chain:
  - use: auth
  - use: acl
  - use: location
    match: {operations: [GetObject]}
";
    fs::write(folder.path().join("sluice.yaml"), yaml).unwrap();
    let (good, said) = check(folder.path(), &["--config", "sluice.yaml"]);
    assert!(good, "{said}");
    let warning = "warning: sluice.yaml:7:5: chain[2]: `location` is concerned by none";
    assert!(said.contains(warning), "{said}");
    assert!(said.contains("no mistakes found"), "{said}");
    let (good, said) = check(folder.path(), &["--config", "sluice.yaml", "--strict"]);
    assert!(!good, "{said}");
    assert!(said.contains(warning), "{said}");

    let (good, schema) = check(folder.path(), &["--schema"]);
    assert!(good, "{schema}");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema, config::schema());
}

#[test]
fn a_copy_of_the_default_configuration_passes_the_check_and_starts() {
    let folder = tempfile::tempdir().unwrap();
    let text = config::Config::embedded_text();
    fs::write(folder.path().join("copy.yaml"), text).unwrap();
    let (good, said) = check(folder.path(), &["--config", "copy.yaml"]);
    assert!(good, "{said}");

    let gateway = Gateway::start_with(folder.path(), &["--config", "copy.yaml"], &[]);
    let secret = fs::read_to_string(folder.path().join("sluice-data/root.secret-key")).unwrap();
    assert!(gateway.banner.contains(secret.trim()));
    gateway.stop();

    // One of two files is missed, not made.
    fs::remove_file(folder.path().join("sluice-data/root.secret-key")).unwrap();
    let (good, report) = check(folder.path(), &["--config", "copy.yaml"]);
    assert!(!good);
    assert!(
        report.contains("root.secret-key cannot be read"),
        "{report}"
    );
}

/// A configuration in the folder; what it has of policy comes last.
fn write_config(folder: &Path, policy: &str) {
    let yaml = format!(
        "version: 1
admin: {{address: 127.0.0.1:9001}}
storage: {{sets: [{{drives: [a, b], data_shards: 1, parity_shards: 1}}]}}
accounts: [{{id: root, keys: [{{access_key: AKIAROOT, secret_key: sesame-sesame}}]}}]
{policy}"
    );
    fs::write(folder.join("sluice.yaml"), yaml).unwrap();
}

#[test]
fn a_hang_up_and_a_command_reload_and_the_status_tells_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, "region: eu-west-1\n");
    let gateway = Gateway::start_with(folder, &["--config", "sluice.yaml", "--no-watch"], &[]);
    let admin = gateway.admin();
    gateway.wait_for_status("\"generation\": 1,");

    write_config(folder, "region: eu-west-2\n");
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_for_status("\"generation\": 2,");

    write_config(folder, "region: eu-west-3\n");
    let (good, said) = sluice(folder, &["reload", "--admin", admin]);
    assert!(good, "{said}");
    for expected in [
        "generation 3 serves",
        "the region was eu-west-2 and is eu-west-3",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (good, said) = sluice(folder, &["reload", "--admin", admin]);
    assert!(good && said.contains("nothing is different"), "{said}");

    write_config(folder, "regoin: eu-west-3\n");
    let (good, said) = sluice(folder, &["reload", "--admin", admin]);
    assert!(!good, "{said}");
    for expected in ["refused", "sluice.yaml:5:1", "did you mean `region`"] {
        assert!(said.contains(expected), "{expected} in {said}");
    }

    let (good, said) = sluice(folder, &["status", "--admin", admin]);
    assert!(good, "{said}");
    for expected in [
        "generation     4 since ",
        "last reload    refused at ",
        "sluice.yaml:5:1",
        "chain          auth, provisioning, cors, acl, tagging, request-payment, location",
        "acl       ",
        "sha256:",
        "online",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let (good, said) = sluice(folder, &["status", "--admin", admin, "--format", "json"]);
    assert!(good && said.contains("\"generation\": 4,"), "{said}");
    gateway.stop();

    let (good, said) = sluice(folder, &["status", "--admin", "127.0.0.1:1"]);
    assert!(
        !good && said.contains("127.0.0.1:1 cannot be asked"),
        "{said}"
    );
    // The address is in the file, too, if that can be read.
    let (good, said) = sluice(folder, &["reload", "--config", "sluice.yaml"]);
    assert!(!good && said.contains("sluice.yaml:5:1"), "{said}");
}

#[test]
fn a_gateway_watches_its_configuration_unless_it_is_told_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_config(folder, "region: eu-west-1\n");
    let gateway = Gateway::start_with(folder, &["--config", "sluice.yaml"], &[]);
    write_config(folder, "region: eu-west-2\n");
    gateway.wait_for_status("\"generation\": 2,");
    gateway.stop();

    let gateway = Gateway::start_with(folder, &["--config", "sluice.yaml", "--no-watch"], &[]);
    write_config(folder, "region: eu-west-1\n");
    thread::sleep(Duration::from_secs(2));
    gateway.wait_for_status("\"generation\": 1,");
    gateway.stop();
}

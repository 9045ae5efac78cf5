//! The binary as a person starts it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Long enough for a debug build on a busy machine to compile its plugins.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running gateway; killed when the test ends before it does.
struct Gateway {
    child: Child,
    /// What it printed until it was ready.
    banner: String,
}

impl Gateway {
    fn start(folder: &Path, envs: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .current_dir(folder)
            .envs(envs.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("aws --endpoint-url") {
            let read = lines.read_line(&mut banner).unwrap();
            assert!(read > 0, "the gateway ended: {banner}");
        }
        // Somebody must go on reading, or the gateway could not go on printing.
        thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, banner }
    }

    fn address(&self) -> &str {
        self.banner
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The exit code, `None` where it was killed.
    fn wait(&mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the gateway did not end");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
    assert!(gateway.banner.contains("ENVIRONMENTACCESSKEY"));
    assert!(!gateway.banner.contains("environment-secret"));
    assert!(!folder.path().join("sluice-data/root.secret-key").exists());
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
fn check_finds_no_mistake_in_the_embedded_default_and_fails_on_a_bad_file() {
    let check = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_sluice"))
            .arg("check")
            .args(args)
            .output()
            .unwrap()
    };
    assert!(check(&[]).status.success());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    fs::write(&file, "version: 1\nlistners: []\nchain:\n  - use: nobody\n").unwrap();
    let output = check(&["--config", file.to_str().unwrap()]);
    assert!(!output.status.success());
    let report = String::from_utf8(output.stderr).unwrap();
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

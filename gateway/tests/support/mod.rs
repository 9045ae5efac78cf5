//! A gateway in a process of its own, and the other commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a debug build on a busy machine to compile its plugins.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running gateway; killed when the test ends before it does.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    /// What it printed until it was ready.
    pub(crate) banner: String,
}

impl Gateway {
    pub(crate) fn start(folder: &Path, envs: &[(&str, &str)]) -> Self {
        Self::start_with(folder, &[], envs)
    }

    pub(crate) fn start_with(folder: &Path, args: &[&str], envs: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(args)
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

    pub(crate) fn address(&self) -> &str {
        self.banner
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap()
    }

    /// Of the private listener.
    pub(crate) fn admin(&self) -> &str {
        let admin = self.banner.split("private     http://").nth(1);
        admin
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap()
    }

    /// What the private listener says of readiness, with its status.
    pub(crate) fn readiness(&self) -> String {
        get(self.admin(), "/health/ready", "").unwrap()
    }

    /// Waits until it says so of itself.
    pub(crate) fn wait_for_status(&self, expected: &str) {
        let begun = Instant::now();
        let status = || get(self.admin(), "/status", "").unwrap();
        while !status().contains(expected) {
            assert!(begun.elapsed() < PATIENCE, "{expected} in {}", status());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert_eq!(self.wait(), Some(0));
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The exit code, `None` where it was killed.
    pub(crate) fn wait(&mut self) -> Option<i32> {
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

/// The head and the body of an answer. `headers` end with a line break each.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another command.
pub(crate) fn output(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Whether it succeeded, and all that it said.
pub(crate) fn sluice(folder: &Path, args: &[&str]) -> (bool, String) {
    let output = output(folder, args);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

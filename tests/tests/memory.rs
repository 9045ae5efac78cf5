//! An object far larger than memory allows passes through in both directions.
//!
//! This is a test binary of its own, because the peak it looks at is that of
//! the whole process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use sluice_tests::{ROOT, Request, Server, Settings};

/// More than three times what the process may use. The largest object in one
/// piece takes the same path: set `SLUICE_TEST_OBJECT_GIB=5` to see it.
const OBJECT_GIB: u64 = 1;

/// Resident memory, in KiB, of this process with the gateway in it.
const PEAK_KIB_MAX: u64 = 300 * 1024;

#[test]
fn an_object_of_gigabytes_passes_in_bounded_memory() {
    let gibibytes =
        std::env::var("SLUICE_TEST_OBJECT_GIB").map_or(OBJECT_GIB, |text| text.parse().unwrap());
    let length = gibibytes << 30;
    let server = Server::start(&Settings::default());
    let path = server.bucket("large") + "/object";

    upload(&server, &path, length);
    assert_eq!(download(&server, &path, length), length);

    let peak = peak_kib();
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB were resident");
}

/// A pattern with no period that a stripe could share, so that bytes out of
/// place are seen.
fn block(number: u64) -> Vec<u8> {
    let words = (0..BLOCK_LEN as u64 / 8)
        .map(|word| (number << 32 | word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_le_bytes).collect()
}

const BLOCK_LEN: usize = 1 << 20;

fn upload(server: &Server, path: &str, length: u64) {
    let request = Request::new("PUT", path)
        .header("content-length", &length.to_string())
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .signed(&ROOT);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&request.head_bytes()).unwrap();
    for number in 0..length / BLOCK_LEN as u64 {
        stream.write_all(&block(number)).unwrap();
    }
    let (status, _) = head(&mut BufReader::new(stream));
    assert_eq!(status, "HTTP/1.1 200 OK");
}

/// Returns how many of the bytes came as they were sent.
fn download(server: &Server, path: &str, length: u64) -> u64 {
    let request = Request::get(path).signed(&ROOT);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&request.head_bytes()).unwrap();
    let mut stream = BufReader::with_capacity(BLOCK_LEN, stream);
    let (status, content_length) = head(&mut stream);
    assert_eq!(
        (status.as_str(), content_length),
        ("HTTP/1.1 200 OK", Some(length))
    );
    let mut received = vec![0; BLOCK_LEN];
    for number in 0..length / BLOCK_LEN as u64 {
        stream.read_exact(&mut received).unwrap();
        assert!(received == block(number), "block {number} is another one");
    }
    length
}

/// The status line of a response, and how long its body is.
fn head(stream: &mut impl BufRead) -> (String, Option<u64>) {
    let mut lines = stream.lines().map(|line| line.unwrap());
    let status = lines.next().unwrap();
    let headers = lines.take_while(|line| !line.is_empty());
    let length = headers
        .filter_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .last();
    (status, length)
}

/// The most that was ever resident.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

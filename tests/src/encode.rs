//! Digests and escapes as they stand in headers and targets.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha256};

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Escapes everything but unreserved characters.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

/// A path as a signature sees it, however it was escaped: an escaped slash stays one.
pub(crate) fn canonical_path(path: &str) -> String {
    let segments = path
        .split('/')
        .map(|segment| encode(&percent_decode_str(segment).decode_utf8_lossy()));
    segments.collect::<Vec<_>>().join("/")
}

/// A query as a signature sees it: sorted, and escaped in one way.
pub(crate) fn canonical_query(query: &str) -> String {
    let decode =
        |text: &str| encode(&percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy());
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes.as_ref()))
}

/// As in `Content-MD5`.
pub fn md5(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(Md5::digest(bytes.as_ref()))
}

/// As in an `ETag`, without the quotes.
pub fn md5_hex(bytes: impl AsRef<[u8]>) -> String {
    hex(&Md5::digest(bytes.as_ref()))
}

/// As in `x-amz-checksum-crc32`.
pub fn crc32(bytes: impl AsRef<[u8]>) -> String {
    checksum("crc32", bytes)
}

/// As in the header `x-amz-checksum-` with this ending.
pub fn checksum(algorithm: &str, bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let crc = |algorithm, len: usize| {
        let sum = crc_fast::checksum(algorithm, bytes).to_be_bytes();
        sum[sum.len() - len..].to_vec()
    };
    let sum = match algorithm {
        "crc32" => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc, 4),
        "crc32c" => crc(crc_fast::CrcAlgorithm::Crc32Iscsi, 4),
        "crc64nvme" => crc(crc_fast::CrcAlgorithm::Crc64Nvme, 8),
        "sha1" => Sha1::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        other => panic!("S3 has no checksum `{other}`"),
    };
    BASE64_STANDARD.encode(sum)
}

pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// What version 2 signs with, in base64.
pub(crate) fn hmac_sha1(key: &str, text: &str) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

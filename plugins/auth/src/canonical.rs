//! What the client signed: the canonical request, rebuilt from what arrived.

use sluice_plugin::hex_digit;
use sluice_plugin::prelude::*;

use crate::claim::Claim;
use crate::query::Query;

/// Every header that could change what the request means must be signed, or
/// somebody in between could add it.
pub(crate) fn check_all_signed(headers: &[(String, String)], claim: &Claim) -> Result<(), Denial> {
    let mut unsigned = Vec::new();
    if !claim.has_signed("host") {
        unsigned.push("host");
    }
    for (name, _) in headers {
        if name.starts_with("x-amz-")
            && !claim.has_signed(name)
            && !unsigned.contains(&name.as_str())
        {
            unsigned.push(name);
        }
    }
    if unsigned.is_empty() {
        return Ok(());
    }
    Err(deny(AccessDenied)
        .with("HeadersNotSigned", unsigned.join(", "))
        .because("There were headers present in the request which were not signed"))
}

/// The canonical request.
pub(crate) fn request(
    request: &Request,
    headers: &[(String, String)],
    query: &Query,
    claim: &Claim,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(request.method().as_bytes());
    out.push(b'\n');
    push_encoded(&mut out, &request.path(), b"/", b'+');
    out.push(b'\n');
    query.push_signed(&mut out);
    out.push(b'\n');
    for name in claim.signed_headers.split(';') {
        let line = out.len();
        out.extend_from_slice(name.as_bytes());
        if let Some(name) = out.get_mut(line..) {
            name.make_ascii_lowercase();
        }
        let mut separator = b':';
        for (have, value) in headers {
            if have.eq_ignore_ascii_case(name) {
                out.push(separator);
                push_value(&mut out, value);
                separator = b',';
            }
        }
        if separator == b':' {
            out.push(b':');
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(claim.signed_headers.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(claim.payload.as_bytes());
    out
}

/// A header's value without white space at its ends, and with one space where
/// there are several.
fn push_value(out: &mut Vec<u8>, value: &str) {
    let mut space = false;
    for byte in value.trim_matches([' ', '\t']).bytes() {
        if byte != b' ' || !space {
            out.push(byte);
        }
        space = byte == b' ';
    }
}

/// Appends text in the one canonical encoding, whichever encoding it came in.
/// The `literal` bytes stay as they are, and their escapes stay escapes: `a%2Fb`
/// is one segment. A `+` stands for the byte `plus`.
pub(crate) fn push_encoded(out: &mut Vec<u8>, text: &str, literal: &[u8], plus: u8) {
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let byte = match (first, rest) {
            (b'%', [high, low, rest @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes = rest;
                    let byte = high << 4 | low;
                    if literal.contains(&byte) {
                        push_escape(out, byte);
                        continue;
                    }
                    byte
                }
                _ => b'%',
            },
            (b'+', _) => plus,
            (byte, _) if literal.contains(byte) => {
                out.push(*byte);
                continue;
            }
            (byte, _) => *byte,
        };
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte),
            _ => push_escape(out, byte),
        }
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let digit = |value: u8| match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    };
    out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_once_and_not_normalised() {
        let check = |path: &str, expected: &str| {
            let mut out = Vec::new();
            push_encoded(&mut out, path, b"/", b'+');
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{path}");
        };
        check("/", "/");
        check("/bucket/a/b", "/bucket/a/b");
        check("/bucket//a/../b/./", "/bucket//a/../b/./");
        check("/bucket/a%20b", "/bucket/a%20b");
        check("/bucket/a%2520b", "/bucket/a%2520b");
        check("/bucket/a+b", "/bucket/a%2Bb");
        check("/bucket/a%2fb", "/bucket/a%2Fb");
        check("/bucket/(a)", "/bucket/%28a%29");
        check("/bucket/%7Ea", "/bucket/~a");
        check("/bucket/%c3%a4", "/bucket/%C3%A4");
        check("/bucket/100%", "/bucket/100%25");
    }

    #[test]
    fn white_space_of_values_is_folded() {
        let check = |value: &str, expected: &str| {
            let mut out = Vec::new();
            push_value(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{value:?}");
        };
        check("", "");
        check("  a  ", "a");
        check("a   b c", "a b c");
        check("\ta\tb ", "a\tb");
        check("\"a  b\"", "\"a b\"");
    }
}

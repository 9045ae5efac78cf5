//! Percent-encoding, out of and into URLs, and hexadecimal.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Encodes a key for `encoding-type=url` and for `Location`: all but unreserved
/// characters and `/`. A space becomes `%20`, which every decoder reads, also
/// those that do not take `+` for one.
pub fn key(text: &str) -> String {
    utf8_percent_encode(text, KEY).to_string()
}

/// Encodes what stands in a query: all but unreserved characters.
pub fn component(text: &str) -> String {
    key(text).replace('/', "%2F")
}

/// In lower case, as signatures, digests and etags are written.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text
}

/// Only lower case, so that every digest has one spelling.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

/// Why text could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeError {
    Escape,
    Utf8,
}

/// Decodes strictly: every `%` begins an escape, and the result is UTF-8.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let escape = rest.get(at + 1..at + 3).ok_or(DecodeError::Escape)?;
        if !escape.iter().all(u8::is_ascii_hexdigit) {
            return Err(DecodeError::Escape);
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| DecodeError::Utf8)
}

/// Decodes what is encoded as in a form, where `+` is a space.
pub(crate) fn decode_form(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()))
    } else {
        decode(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_encoded_so_that_every_client_decodes_it() {
        for (text, encoded) in [
            ("a/b.c-d_e~f", "a/b.c-d_e~f"),
            ("test_file(3).png", "test_file%283%29.png"),
            ("a b+c%d", "a%20b%2Bc%25d"),
            ("ä", "%C3%A4"),
            ("a\u{1}\n&<", "a%01%0A%26%3C"),
        ] {
            assert_eq!(key(text), encoded);
            assert_eq!(decode(encoded).as_deref(), Ok(text));
        }
    }

    #[test]
    fn decoding_refuses_what_is_not_an_escape_or_not_utf8() {
        for (text, decoded) in [
            ("a+b", Ok("a+b")),
            ("%2f%2F", Ok("//")),
            ("%2525", Ok("%25")),
            ("%", Err(DecodeError::Escape)),
            ("%4", Err(DecodeError::Escape)),
            ("%4g", Err(DecodeError::Escape)),
            ("%+1", Err(DecodeError::Escape)),
            ("%%41", Err(DecodeError::Escape)),
            ("%ff", Err(DecodeError::Utf8)),
            ("%c0%af", Err(DecodeError::Utf8)),
            ("%ed%a0%80", Err(DecodeError::Utf8)),
        ] {
            assert_eq!(decode(text).as_deref(), decoded.as_deref(), "{text}");
        }
        assert_eq!(decode_form("a+b%2B").as_deref(), Ok("a b+"));
        assert_eq!(decode_form("%+1"), Err(DecodeError::Escape));
    }

    #[test]
    fn hexadecimal_has_one_spelling() {
        let bytes: Vec<_> = (0..=255).collect();
        let text = hex(&bytes);
        assert_eq!(unhex(&text), Some(bytes));
        for wrong in ["a", "AB", "0x", " 1", "é0"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}

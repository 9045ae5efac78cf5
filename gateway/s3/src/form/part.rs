//! The head of one part of a form: which field it is, and of which file.

use super::malformed;
use crate::encode::decode;
use crate::error::Error;

/// Also where a form has none to say, encoders send some.
const HEADERS_MAX: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// As it was sent.
    pub(super) name: String,
    /// As it was sent, with its folders.
    pub(super) filename: Option<String>,
}

impl Part {
    /// Reads the lines before the empty one.
    pub(super) fn parse(head: &[u8]) -> Result<Self, Error> {
        let head = std::str::from_utf8(head)
            .map_err(|_| malformed("The headers of a part are not UTF-8."))?;
        let mut disposition = None;
        for (number, line) in head.split("\r\n").enumerate() {
            let is_control = |byte: u8| byte < b' ' && byte != b'\t';
            if number >= HEADERS_MAX || line.bytes().any(is_control) {
                return Err(malformed("The headers of a part cannot be read."));
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(malformed("A header of a part has no name."));
            };
            // One that begins with white space goes on with the line before.
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(malformed("A header of a part has no name."));
            }
            let value = value.trim_ascii();
            if name.eq_ignore_ascii_case("content-disposition") {
                if disposition.replace(value).is_some() {
                    return Err(malformed("A part has two headers Content-Disposition."));
                }
            } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
                check_transfer_encoding(value)?;
            }
        }
        let disposition =
            disposition.ok_or_else(|| malformed("A part has no header Content-Disposition."))?;
        Self::of(disposition)
    }

    fn of(disposition: &str) -> Result<Self, Error> {
        let (kind, mut rest) = disposition.split_once(';').unwrap_or((disposition, ""));
        if !kind.trim_ascii().eq_ignore_ascii_case("form-data") {
            return Err(malformed("A part is not one of a form."));
        }
        let (mut name, mut plain, mut extended) = (None, None, None);
        while let Some((parameter, value, after)) = parameter(rest)? {
            rest = after;
            let place = match parameter.to_ascii_lowercase().as_str() {
                "name" => &mut name,
                "filename" => &mut plain,
                "filename*" => &mut extended,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(malformed("A part has two names."));
            }
        }
        let extended = extended.as_deref().map(decode_extended).transpose()?;
        Ok(Self {
            name: name.ok_or_else(|| malformed("A part has no name."))?,
            // The longer form is sent by those who could not write the shorter one.
            filename: extended.or(plain),
        })
    }
}

/// Those that change nothing. A form is not a mail: nobody decodes the others.
fn check_transfer_encoding(value: &str) -> Result<(), Error> {
    let mut harmless = ["7bit", "8bit", "binary"].iter();
    if harmless.any(|harmless| value.eq_ignore_ascii_case(harmless)) {
        return Ok(());
    }
    Err(malformed("The encoding of a part is not supported."))
}

/// The next `name=value`, and what follows it.
fn parameter(text: &str) -> Result<Option<(&str, String, &str)>, Error> {
    let refuse = || malformed("A header Content-Disposition cannot be read.");
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return Ok(None);
    }
    let (name, text) = text.split_once('=').ok_or_else(refuse)?;
    let name = name.trim_ascii();
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(refuse());
    }
    let text = text.trim_ascii_start();
    let (value, text) = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or_else(refuse)?,
        None => {
            let end = text.find(';').unwrap_or(text.len());
            let (value, text) = text.split_at_checked(end).ok_or_else(refuse)?;
            (value.trim_ascii().to_owned(), text)
        }
    };
    let text = text.trim_ascii_start();
    match text.strip_prefix(';') {
        Some(text) => Ok(Some((name, value, text))),
        None if text.is_empty() => Ok(Some((name, value, text))),
        None => Err(refuse()),
    }
}

/// What is before the closing quote, and what follows it. A backslash stands for
/// itself where nothing that must be escaped follows: there are browsers that
/// send the whole path of a file.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            _ => value.push(character),
        }
    }
    None
}

/// `UTF-8'language'text` of RFC 5987, the text percent-encoded.
fn decode_extended(value: &str) -> Result<String, Error> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, text) = (parts.next(), parts.next(), parts.next());
    match (charset, text.map(decode)) {
        (Some(charset), Some(Ok(text))) if charset.eq_ignore_ascii_case("utf-8") => {
            Ok(text.into_owned())
        }
        _ => Err(malformed("The name of a file cannot be read.")),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The boundary that the type of a body names; nothing where it is no form.
pub(super) fn boundary(content_type: &str) -> Option<Result<String, Error>> {
    let (kind, mut rest) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind
        .trim_ascii()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let refuse = || malformed("The header Content-Type names no valid boundary.");
    let mut found = None;
    loop {
        match parameter(rest) {
            Err(_) => return Some(Err(refuse())),
            Ok(None) => break,
            Ok(Some((name, value, after))) => {
                rest = after;
                let is_boundary = name.eq_ignore_ascii_case("boundary");
                if is_boundary && found.replace(value).is_some() {
                    return Some(Err(refuse()));
                }
            }
        }
    }
    Some(
        found
            .filter(|boundary| is_boundary(boundary))
            .ok_or_else(refuse),
    )
}

fn is_boundary(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&text.len()) && !text.ends_with(' ') && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_which_field_it_is() {
        let check = |head: &str, expected: Option<(&str, Option<&str>)>| {
            let part = Part::parse(head.as_bytes()).ok();
            let part = part.as_ref();
            let part = part.map(|part| (part.name.as_str(), part.filename.as_deref()));
            assert_eq!(part, expected, "{head:?}");
        };
        let of = |disposition: &str| format!("Content-Disposition: {disposition}");
        check(&of("form-data; name=\"key\""), Some(("key", None)));
        check(&of("FORM-DATA;NAME=key"), Some(("key", None)));
        check(
            &of(" form-data ; name = \"a b\" ; x=y ;"),
            Some(("a b", None)),
        );
        check(&of("form-data; name=\"\""), Some(("", None)));
        check(
            &of("form-data; name=\"file\"; filename=\"a;b=c.txt\""),
            Some(("file", Some("a;b=c.txt"))),
        );
        check(
            "content-type: text/plain\r\ncontent-disposition:form-data; filename=a.txt; name=file",
            Some(("file", Some("a.txt"))),
        );
        // As browsers write a quote, as older ones did, and as some send a path.
        for (sent, name) in [
            ("a%22b", "a%22b"),
            ("a\\\"b", "a\"b"),
            ("a\\\\b", "a\\b"),
            ("C:\\dir\\a.txt", "C:\\dir\\a.txt"),
            ("\u{e4}\u{1f600}.txt", "\u{e4}\u{1f600}.txt"),
            ("", ""),
        ] {
            check(
                &of(&format!("form-data; name=\"file\"; filename=\"{sent}\"")),
                Some(("file", Some(name))),
            );
        }
        let extended = |value: &str| of(&format!("form-data; name=\"file\"; filename*={value}"));
        check(
            &extended("utf-8''%c3%a4.txt"),
            Some(("file", Some("ä.txt"))),
        );
        check(&extended("UTF-8'de'a%20b"), Some(("file", Some("a b"))));
        check(
            &of("form-data; name=file; filename=\"a\"; filename*=UTF-8''%C3%A4"),
            Some(("file", Some("ä"))),
        );
        for refused in [
            "",
            "Content-Type: text/plain",
            &of("attachment; name=\"key\""),
            &of("form-data"),
            &of("form-data; filename=\"a\""),
            &of("form-data; name=\"key"),
            &of("form-data; name=\"key\" x"),
            &of("form-data; name"),
            &of("form-data; name=a; name=b"),
            &of("form-data; name=a; filename=b; filename=c"),
            &extended("iso-8859-1''%e4"),
            &extended("UTF-8''%e4"),
            &extended("a.txt"),
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
            "Content-Disposition: form-data;\r\n name=a",
            "Content-Disposition: form-data; name=a\nX: y",
            "Content-Disposition : form-data; name=a",
            "no colon\r\nContent-Disposition: form-data; name=a",
            "Content-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=a",
        ] {
            check(refused, None);
        }
        check(
            "Content-Transfer-Encoding: Binary\r\nContent-Disposition: form-data; name=a",
            Some(("a", None)),
        );
        let many = "X: y\r\n".repeat(HEADERS_MAX - 1) + &of("form-data; name=a");
        check(&many, Some(("a", None)));
        check(&format!("X: y\r\n{many}"), None);
        assert!(Part::parse(b"Content-Disposition: form-data; name=\xe4").is_err());
    }

    #[test]
    fn the_type_of_the_body_names_the_boundary() {
        let check = |content_type: &str, expected: Option<Option<&str>>| {
            let boundary = boundary(content_type).map(Result::ok);
            let boundary = boundary.as_ref().map(Option::as_deref);
            assert_eq!(boundary, expected, "{content_type}");
        };
        check("multipart/form-data; boundary=b", Some(Some("b")));
        check(
            "Multipart/Form-Data;charset=utf-8;Boundary=\"a b\"",
            Some(Some("a b")),
        );
        check(
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Some(Some("----WebKitFormBoundary7MA4YWxkTrZu0gW")),
        );
        let longest = "b".repeat(70);
        let with = |boundary: &str| format!("multipart/form-data; boundary={boundary}");
        check(&with(&longest), Some(Some(&longest)));
        check(&with(&format!("{longest}b")), Some(None));
        for invalid in [
            "",
            "\"\"",
            "\"a \"",
            "a\"b",
            "\"a",
            "a; boundary=b",
            "\"a\\\\b\"",
        ] {
            check(&with(invalid), Some(None));
        }
        check("multipart/form-data", Some(None));
        check("multipart/mixed; boundary=b", None);
        check("application/x-www-form-urlencoded", None);
        check("", None);
    }
}

//! Rules as the body of `?cors` says them.

use sluice_plugin::prelude::*;
use sluice_plugin::xml::{Malformed, Reader, escape};

use crate::rules::{self, METHODS, Writer, is_token};

/// A configuration has at most 64 KB, in the form in which it is given back: an
/// answer has to fit into what a plugin may hand out.
const LEN_MAX: usize = 64_000;
/// What a client may take for it, with all that stands between the elements.
const BODY_LEN_MAX: usize = 64 << 10;
const RULES_MAX: usize = 100;
const ID_CHARS_MAX: usize = 255;
/// The names of the headers that a rule exposes: they are one header of an answer.
const EXPOSED_LEN_MAX: usize = 8 << 10;
/// Of what is wrong, in the message that says so.
const QUOTED_CHARS_MAX: usize = 100;

const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                     <CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
const END: &str = "</CORSConfiguration>";

/// Why a body is not a configuration that can be kept.
enum Refused {
    Malformed,
    Denied(Denial),
}

impl From<Malformed> for Refused {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

fn invalid(message: String) -> Refused {
    Refused::Denied(deny(InvalidRequest).because(message))
}

/// The document that says what a body says.
pub(crate) fn read(body: &[u8]) -> Result<String, Denial> {
    if body.len() > BODY_LEN_MAX {
        return Err(too_long());
    }
    let document = configuration(body).map_err(|refused| match refused {
        Refused::Malformed => deny(MalformedXML),
        Refused::Denied(denial) => denial,
    })?;
    match write(document.as_bytes()) {
        Some(shown) if shown.len() <= LEN_MAX => Ok(document),
        _ => Err(too_long()),
    }
}

fn too_long() -> Denial {
    Denial::custom("MaxMessageLengthExceeded", 400)
        .with("MaxMessageLengthBytes", LEN_MAX.to_string())
        .because("A CORS configuration has at most 64 KB.")
}

fn configuration(body: &[u8]) -> Result<String, Refused> {
    let mut reader = Reader::new(body)?;
    reader.root("CORSConfiguration")?;
    let mut writer = Writer::new();
    let mut count = 0;
    while let Some(tag) = reader.child()? {
        if tag.name != "CORSRule" {
            return Err(Refused::Malformed);
        }
        if count == RULES_MAX {
            return Err(invalid(format!(
                "The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules."
            )));
        }
        count += 1;
        rule(&mut reader, &mut writer)?;
    }
    reader.finish()?;
    match count {
        0 => Err(Refused::Malformed),
        _ => Ok(writer.finish()),
    }
}

fn rule(reader: &mut Reader<'_>, writer: &mut Writer) -> Result<(), Refused> {
    let (mut methods, mut values) = (Vec::new(), Vec::new());
    while let Some(tag) = reader.child()? {
        let text = reader.text()?;
        // Each value has a line of the document.
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(Refused::Malformed);
        }
        let again = |kind: &str| values.iter().any(|(known, _)| *known == kind);
        let kind = match tag.name {
            "AllowedMethod" => {
                let mut known = METHODS.iter();
                let Some(method) = known.find(|known| **known == text) else {
                    return Err(invalid(format!(
                        "Found unsupported HTTP method in CORS config. Unsupported method is {}",
                        quoted(&text)
                    )));
                };
                methods.push(*method);
                continue;
            }
            "AllowedOrigin" => {
                check_stars(tag.name, &text)?;
                "origin"
            }
            "AllowedHeader" => {
                check_stars(tag.name, &text)?;
                "header"
            }
            "ExposeHeader" if text.contains('*') => {
                return Err(invalid(format!(
                    "ExposeHeader \"{}\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
                    quoted(&text)
                )));
            }
            "ExposeHeader" if !is_token(&text) => {
                return Err(invalid(format!(
                    "ExposeHeader \"{}\" is not the name of a header.",
                    quoted(&text)
                )));
            }
            "ExposeHeader" => "expose",
            "ID" if again("id") => return Err(Refused::Malformed),
            "ID" if text.chars().count() > ID_CHARS_MAX => {
                return Err(invalid(format!(
                    "The ID of a CORS rule should not be longer than {ID_CHARS_MAX} characters."
                )));
            }
            "ID" => "id",
            "MaxAgeSeconds" if again("age") || !is_age(&text) => return Err(Refused::Malformed),
            "MaxAgeSeconds" => "age",
            _ => return Err(Refused::Malformed),
        };
        values.push((kind, text));
    }
    if methods.is_empty() || !values.iter().any(|(kind, _)| *kind == "origin") {
        return Err(Refused::Malformed);
    }
    let exposed = values.iter().filter(|(kind, _)| *kind == "expose");
    if exposed.map(|(_, name)| name.len()).sum::<usize>() > EXPOSED_LEN_MAX {
        return Err(invalid(format!(
            "The names of the headers that a CORS rule exposes should not be longer than {EXPOSED_LEN_MAX} bytes together."
        )));
    }
    writer.rule(&methods);
    for (kind, value) in values {
        writer.value(kind, &value);
    }
    Ok(())
}

/// The beginning of a text: a message has to fit into an answer, too.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

fn check_stars(element: &str, text: &str) -> Result<(), Refused> {
    match text.matches('*').count() {
        0 | 1 => Ok(()),
        _ => Err(invalid(format!(
            "{element} \"{}\" can not have more than one wildcard.",
            quoted(text)
        ))),
    }
}

fn is_age(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i32>().is_ok()
}

/// What a document says, for whoever asks what it is; nothing where it is none.
pub(crate) fn write(document: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(document.len().saturating_mul(4));
    out.push_str(BEGIN);
    for rule in rules::read(document)? {
        out.push_str("<CORSRule>");
        push_all(&mut out, "ID", rule.values("id"));
        push_all(&mut out, "AllowedOrigin", rule.values("origin"));
        push_all(&mut out, "AllowedMethod", rule.methods.split(", "));
        push_all(&mut out, "AllowedHeader", rule.values("header"));
        push_all(&mut out, "MaxAgeSeconds", rule.values("age"));
        push_all(&mut out, "ExposeHeader", rule.values("expose"));
        out.push_str("</CORSRule>");
    }
    out.push_str(END);
    Some(out)
}

/// A configuration without rules.
pub(crate) fn empty() -> String {
    [BEGIN, END].concat()
}

fn push_all<'a>(out: &mut String, name: &str, values: impl Iterator<Item = &'a str>) {
    for value in values {
        for part in ["<", name, ">"] {
            out.push_str(part);
        }
        escape(value, out);
        for part in ["</", name, ">"] {
            out.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(rules: &str) -> String {
        [BEGIN, rules, END].concat()
    }

    fn check(rules: &str, expected: Result<(), (&str, &str)>) {
        let read = read(configuration(rules).as_bytes());
        let read = read.as_ref().map(|_| ());
        let read = read.map_err(|denial| (denial.code.as_str(), denial.message.as_str()));
        match (read, expected) {
            (Err((code, message)), Err((expected, part))) => {
                assert!(
                    code == expected && message.contains(part),
                    "{code} {message}: {rules}"
                );
            }
            (read, expected) => assert_eq!(read, expected, "{rules}"),
        }
    }

    #[test]
    fn limits_are_held_from_both_sides() {
        let rule = |id: &str| {
            format!(
                "<CORSRule><ID>{id}</ID><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>"
            )
        };
        let malformed = Err(("MalformedXML", ""));
        check(&rule(&"ä".repeat(255)), Ok(()));
        check(&rule(&"ä".repeat(256)), Err(("InvalidRequest", "255")));
        check(&rule("a").repeat(100), Ok(()));
        check(&rule("a").repeat(101), Err(("InvalidRequest", "100")));
        check("", malformed);

        let age = |age: &str| {
            rule("a").replace(
                "<ID>a</ID>",
                &format!("<MaxAgeSeconds>{age}</MaxAgeSeconds>"),
            )
        };
        check(&age("0"), Ok(()));
        check(&age("2147483647"), Ok(()));
        for wrong in ["2147483648", "-1", "+1", "1.5", "", "a"] {
            check(&age(wrong), malformed);
        }
    }

    #[test]
    fn a_configuration_may_be_as_long_as_its_answer_may_be() {
        let with = |len: usize| {
            let rule = "<CORSRule><AllowedOrigin>ORIGIN</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>";
            let rest = configuration(rule).len() - "ORIGIN".len();
            rule.replace("ORIGIN", &"o".repeat(len - rest))
        };
        check(&with(LEN_MAX), Ok(()));
        check(
            &with(LEN_MAX + 1),
            Err(("MaxMessageLengthExceeded", "64 KB")),
        );
        // Escapes make an answer longer than what it answers for.
        let quotes = with(LEN_MAX).replace("oo", "\"\"");
        check(&quotes, Err(("MaxMessageLengthExceeded", "")));
        let padded = [&with(LEN_MAX), " ".repeat(BODY_LEN_MAX).as_str()].concat();
        check(&padded, Err(("MaxMessageLengthExceeded", "")));
    }

    #[test]
    fn what_an_answer_repeats_is_short() {
        let rule = |values: &str| {
            let needed = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
            format!("<CORSRule>{needed}{values}</CORSRule>")
        };
        let exposed = |len: usize| {
            let name = |len: usize| format!("<ExposeHeader>{}</ExposeHeader>", "e".repeat(len));
            rule(&(name(len - 1000) + &name(1000)))
        };
        check(&exposed(EXPOSED_LEN_MAX), Ok(()));
        check(
            &exposed(EXPOSED_LEN_MAX + 1),
            Err(("InvalidRequest", "8192 bytes")),
        );
        check(&exposed(EXPOSED_LEN_MAX).repeat(2), Ok(()));
        for (name, text) in [
            ("AllowedMethod", "M".repeat(60_000)),
            ("ExposeHeader", "\"".repeat(10_000)),
            ("ExposeHeader", "*".repeat(60_000)),
            ("AllowedHeader", "*".repeat(60_000)),
        ] {
            let whole = configuration(&rule(&format!("<{name}>{text}</{name}>")));
            let denial = read(whole.as_bytes()).unwrap_err();
            assert_eq!(denial.code, "InvalidRequest");
            assert!(denial.message.len() < 300, "{denial:?}");
        }
    }

    #[test]
    fn what_is_read_is_written_again() {
        let rules = "<CORSRule><ID>a &amp; b</ID><AllowedOrigin>http://*.a</AllowedOrigin><AllowedOrigin>*</AllowedOrigin>\
                     <AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader>\
                     <MaxAgeSeconds>5</MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader></CORSRule>\
                     <CORSRule><AllowedOrigin>id *</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule>";
        let whole = configuration(rules);
        let document = read(whole.as_bytes()).unwrap();
        assert_eq!(write(document.as_bytes()), Some(whole));
        assert_eq!(write(b"nonsense"), None);
    }
}

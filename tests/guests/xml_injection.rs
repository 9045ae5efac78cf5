//! A guest that writes XML into the error it refuses with.

use sluice_tests::{ROOT, Request};

use crate::guest::{Guest, constant};
use crate::support::gateway;

const INJECTED: &str = "</Message></Error><Error><Code>Injected</Code><!--";

#[test]
fn the_body_of_the_error_stays_one_document() {
    for (code, message, expected) in [
        ("AccessDenied", INJECTED, "AccessDenied"),
        (
            "AccessDenied",
            "]]><![CDATA[ &bogus; &#0; \u{1}\u{b}\u{fffe}\r\n\t",
            "AccessDenied",
        ),
        ("Own.Code", INJECTED, "Own.Code"),
    ] {
        let guest = Guest::new().authorize(|image| {
            constant(image.refuse(code, message, &[("ArgumentName", INJECTED)]))
        });
        let (server, _folder) = gateway("injects", &guest, "");
        let reply = server.send(&Request::put("/bucket", "").signed(&ROOT));
        let reply = reply.refused(403, expected);
        assert_eq!(reply.elements("Code").len(), 1, "{reply:?}");
        assert_eq!(reply.elements("Message").len(), 1, "{reply:?}");
        well_formed(reply.text());
    }
    // Names are no place for it: they are left out, or replaced.
    let guest = Guest::new()
        .authorize(|image| constant(image.refuse(INJECTED, "m", &[(INJECTED, "x"), ("a b", "x")])));
    let (server, _folder) = gateway("injects", &guest, "");
    let reply = server.send(&Request::put("/bucket", "").signed(&ROOT));
    let reply = reply.refused(403, "AccessDenied");
    well_formed(reply.text());
    assert!(!reply.text().contains("Injected"), "{reply:?}");
}

/// Holds where every element is closed by its own name, all references are
/// known, and all characters are such that XML has.
fn well_formed(document: &str) {
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let strange = |c: char| control(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!document.contains(strange), "{document:?}");
    let mut open = Vec::new();
    let mut rest = document;
    while let Some((text, tag)) = rest.split_once('<') {
        for reference in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "apos;", "#"];
            assert!(
                known.iter().any(|known| reference.starts_with(known)),
                "{document}"
            );
        }
        assert!(!text.contains("]]>"), "{document}");
        let (tag, after) = tag.split_once('>').unwrap();
        rest = after;
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{document}"),
            None if tag.starts_with('?') || tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{document}");
}

//! No text makes the reader panic, and whatever it refuses it explains.

use std::path::Path;

use config::Config;
use proptest::prelude::*;

const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    ":",
    "-",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "!!x ",
    "? ",
    "---\n",
    "null",
    "~",
    "0",
    "-1",
    "1e999",
    "18446744073709551616",
    "\u{0}",
    "ü",
    "\u{feff}",
    "%",
    ",",
    "<<: ",
    "9999999999h",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_configuration_is_read_or_explained(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, 0..PIECES.len()), 1..4)
    ) {
        let mut text: Vec<char> = Config::embedded_text().chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(text.len());
            let end = text.len().min(at + removed);
            text.splice(at..end, PIECES[piece].chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(report) = Config::parse(&text, "damaged.yaml", Path::new("")) {
            prop_assert!(!report.diagnostics.is_empty());
            for found in &report.diagnostics {
                prop_assert!(found.line >= 1 && found.column >= 1);
                prop_assert!(!found.message.is_empty() && !found.help.is_empty());
            }
            prop_assert!(!report.to_string().is_empty());
        }
    }

    #[test]
    fn any_text_is_read_or_explained(text in "\\PC{0,200}") {
        let _ = Config::parse(&text, "any.yaml", Path::new(""));
    }
}

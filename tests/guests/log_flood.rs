//! A guest that logs without end, line breaks and escape codes.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::guest::{Guest, chain, decide};

/// The messages of all events, before anything makes lines of them.
#[derive(Clone, Default)]
struct Messages(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Messages {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

fn logging(lines: u32, text: &str) -> Guest {
    Guest::new()
        .import("log", "log", "(param i32 i32 i32)")
        .authorize(|image| {
            let [text, len] = image.text(text);
            let allow = image.allow();
            format!(
                "(local $left i32) (local.set $left (i32.const {lines}))
                 (loop (call $log (i32.const 0) (i32.const {text}) (i32.const {len}))
                       (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                 (i32.const {allow})"
            )
        })
}

/// What is decided, and what is logged meanwhile.
fn heard(guest: Guest) -> (String, Vec<String>) {
    let chain = chain(&[guest]);
    let messages = Messages::default();
    let subscriber = tracing_subscriber::registry().with(messages.clone());
    let decision = tracing::subscriber::with_default(subscriber, || decide(&chain));
    let heard = messages.0.lock().unwrap().clone();
    (decision, heard)
}

#[test]
fn lines_above_the_limit_are_dropped_and_calls_above_theirs_are_a_failure() {
    let (decision, lines) = heard(logging(1000, "again"));
    assert_eq!(decision, "ok");
    assert_eq!(lines.len(), 20, "{lines:?}");
    assert!(lines.last().unwrap().contains("dropped"), "{lines:?}");
    let (decision, lines) = heard(logging(2000, "again"));
    assert_eq!(decision, "host_calls");
    let more = &lines[20..];
    assert!(
        more.len() <= 2,
        "that it failed, and what came of it: {more:?}"
    );
}

#[test]
fn a_line_is_one_line_without_codes_and_not_long() {
    for text in [
        "a\r\nb",
        "\u{1b}[2J\u{1b}]0;title\u{7}",
        "\0\u{8}\u{7f}\u{9b}31m",
        "\u{2028}\u{2029}\u{85}",
        "\u{202e}reversed",
        &"long ".repeat(2000),
    ] {
        let (decision, lines) = heard(logging(1, text));
        assert_eq!(decision, "ok");
        let [line] = &lines[..] else {
            panic!("{lines:?}");
        };
        let harmful = |c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c);
        assert!(!line.contains(harmful), "{line:?}");
        assert!(line.len() < 5000, "{} bytes", line.len());
    }
}

//! A guest that asks for the fields of a form, meters, and plans without measure.

use host::Grant;
use s3::Operation;

use crate::guest::{Guest, Image, chain, code, constants, facts, resource};
use crate::support::check;

#[test]
fn metering_without_end_is_a_flood_like_any_other() {
    let metering = |len: usize| {
        Guest::new()
            .grant(Grant::Metering)
            .import("metering", "count", "(param i32 i32 i64)")
            .authorize(|image| {
                let subject = constants(image.text("a".repeat(len)));
                format!("(loop (call $count {subject} (i64.const -1)) (br 0)) (unreachable)")
            })
    };
    check("host_calls", metering(1));
    // All that it hands out counts.
    check("output", metering(100));
}

#[test]
fn asking_for_fields_without_end_is_a_flood_like_any_other() {
    let asking = Guest::new()
        .import("request", "form-field", "(param i32 i32 i32)")
        .authorize(|image| {
            let name = constants(image.text("key"));
            format!("(loop (call $form-field {name} (i32.const 60000)) (br 0)) (unreachable)")
        });
    check("host_calls", asking);
}

/// Plans a bucket by this template, with the same tag so many times.
fn planning(template_len: usize, tags: usize) -> Guest {
    let plan = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32 i32)";
    Guest::new()
        .only(host::Phase::Prepare, &[Operation::CreateBucket])
        .grant(Grant::Placement)
        .import("placement", "plan-bucket", plan)
        .pages(64)
        .prepare(|image: &mut Image| {
            let [text, len] = image.text("a".repeat(10_000));
            let words = [text, len, text, len].repeat(tags);
            let words = words
                .iter()
                .flat_map(|word| u32::try_from(*word).unwrap().to_le_bytes());
            let [list, _] = image.text(words.collect::<Vec<u8>>());
            let before = constants([text, template_len, text, 1, 0, 0, 0, 0, 0]);
            let after = constants([0, 0, 0, list, tags, 2_000_000]);
            let (ok, refused) = (image.ok(), image.error("Refused"));
            format!(
                "(call $plan-bucket {before} (i64.const 0) {after})
                 (select (i32.const {refused}) (i32.const {ok}) (i32.load8_u (i32.const 2000000)))"
            )
        })
}

#[test]
fn a_plan_without_measure_is_refused_or_ends_the_guest() {
    let put = facts("PUT", "/prod-a");
    for (template_len, tags, expected) in [
        (255, 0, "ok"),
        // It is told why, and may say something of it.
        (256, 0, "Refused"),
        (10_000, 0, "Refused"),
        (1, 1, "Refused"),
        // They lie in one place, and count as often as they are named.
        (1, 4, "output"),
        (1, 100, "output"),
        (1, 10_000, "output"),
        (3_000_000, 0, "output"),
        (usize::try_from(u32::MAX).unwrap(), 0, "invalid"),
    ] {
        let chain = chain(&[planning(template_len, tags)]);
        let prepared = chain.begin(put.clone()).prepare(&resource(&put));
        let found = code(&prepared);
        assert_eq!(found, expected, "{template_len} bytes, {tags} tags");
    }
}

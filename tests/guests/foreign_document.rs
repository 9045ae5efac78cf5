//! A guest that reads and writes the documents of another plugin.

use host::Grant;

use crate::guest::{Guest, Image, chain, code, constants, facts, resource};

const NAMES: [&str; 8] = [
    "",
    "other/stored",
    "../other/stored",
    "/other/stored",
    "Stored",
    "stored\0",
    "other\u{2215}stored",
    "stored ",
];

fn put(image: &mut Image, name: &str, len: usize, scope: usize) -> String {
    let [name, name_len] = image.text(name);
    let ok = image.ok();
    let arguments = constants([scope, name, name_len, 65536, len]);
    format!("(call $put {arguments}) (i32.const {ok})")
}

fn writing(name: &str, len: usize, scope: usize) -> Guest {
    Guest::new()
        .grant(Grant::Documents)
        .import("documents", "put", "(param i32 i32 i32 i32 i32)")
        .authorize(|image| put(image, name, len, scope))
        .prepare(|image| put(image, name, len, scope))
}

#[test]
fn what_it_writes_is_its_own_and_written_only_where_it_may() {
    let tag = facts("PUT", "/prod-a/key?tagging");
    let share = facts("PUT", "/prod-a?cors");
    let get = facts("GET", "/prod-a/key");
    let long = "a".repeat(65);
    let names = NAMES.iter().copied().chain([&*long]);
    let named = names.map(|name| (&tag, writing(name, 10, 0), "invalid"));
    let others = [
        (&tag, writing("acl", 10, 0), "ok"),
        (&tag, writing("acl", 10, 1), "ok"),
        (&share, writing("acl", 10, 0), "ok"),
        (&share, writing("acl", 10, 1), "invalid"),
        // What is only read keeps nothing.
        (&get, writing("acl", 10, 0), "invalid"),
        (&get, writing("acl", 10, 1), "invalid"),
        (&tag, writing("acl", 64 << 10, 0), "ok"),
        (&tag, writing("acl", (64 << 10) + 1, 0), "output"),
    ];
    for (facts, guest, expected) in named.chain(others) {
        let chain = chain(std::slice::from_ref(&guest));
        let about = resource(facts);
        let prepared = chain.begin(facts.clone()).prepare(&about);
        assert_eq!(code(&prepared), expected, "{guest:?}");
        for (name, _) in prepared.iter().flat_map(|changes| changes.bucket.iter()) {
            assert_eq!(name, "test/acl");
        }
        // A vote is no place to write in.
        assert_ne!(code(&chain.begin(facts.clone()).authorize(&about)), "ok");
    }
}

#[test]
fn what_another_wrote_is_not_there_for_it() {
    let get = facts("GET", "/prod-a/key");
    let reading = |name: &str| {
        Guest::new()
            .grant(Grant::Documents)
            .import("documents", "get", "(param i32 i32 i32 i32)")
            .authorize(|image| {
                let [name, len] = image.text(name);
                let (allow, deny) = (image.allow(), image.deny("Nothing"));
                let arguments = constants([0, name, len, 60000]);
                format!(
                    "(call $get {arguments})
                     (select (i32.const {allow}) (i32.const {deny}) (i32.load8_u (i32.const 60000)))"
                )
            })
    };
    let read = |name: &str, of: &str| {
        let chain = chain(&[reading(name).named(of)]);
        code(&chain.begin(get.clone()).authorize(&resource(&get)))
    };
    assert_eq!(read("stored", "test"), "ok");
    assert_eq!(read("stored", "other"), "ok");
    assert_eq!(read("stored", "third"), "Nothing");
    for name in NAMES {
        assert_eq!(read(name, "test"), "invalid", "{name:?}");
    }
}

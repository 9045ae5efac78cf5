//! Hostile guests, and what becomes of them: nothing, for everybody else.
//!
//! A file of this folder is one thing that a guest, or whoever hands out its
//! binary, may do to the host, together with the test that it is survived.
//! [`ITEMS`] is the list of what must be survived; a file that is missing from
//! it, a file without a test, and a guest that no test runs are all failures.

#![deny(dead_code, unused)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../gateway/host/tests/guest/mod.rs"]
mod guest;
mod support;

/// Declares the files, and makes the list of what they are about.
macro_rules! items {
    ($($area:literal: { $($what:literal: $($file:ident)+;)+ })+) => {
        /// By area: what a guest does, and the files that do it.
        const ITEMS: &[(&str, &str, &[&str])] = &[
            $($(($area, $what, &[$(stringify!($file)),+]),)+)+
        ];
    };
}

mod acl_widening;
mod broken_binary;
mod changed_file;
mod deep_recursion;
mod endless_loop;
mod exhausted_pool;
mod failure_policy;
mod foreign_claim;
mod foreign_document;
mod forged_principal;
mod gone_client;
mod host_call_flood;
mod left_behind;
mod log_flood;
mod memory_fill;
mod memory_growth;
mod oversized_output;
mod own_deadline;
mod slow_service;
mod spinning_cores;
mod unsendable_answer;
mod unwanted_body;
mod wrong_contract;
mod xml_injection;

items! {
    "processor": {
        "never returns, from any export or from `start`": endless_loop;
        "asks the host in an endless loop": host_call_flood;
        "writes to all of its memory, over and over": memory_fill;
        "uses up its time while others have theirs": own_deadline;
        "only waits, until the clock on the wall says that it is enough": own_deadline slow_service;
        "spins on every core while somebody asks whether the gateway lives": spinning_cores;
    }
    "memory": {
        "grows to its limit, and beyond": memory_growth;
        "begins above its limit": memory_growth;
        "recurses until there is no stack": deep_recursion;
        "takes the last instance of the pool, and crashes, is cancelled, or is in the host as that panics": exhausted_pool;
    }
    "output": {
        "hands out too much": oversized_output;
        "hands out text that is not UTF-8": unsendable_answer;
        "hands out headers with CR, LF or NUL in them": unsendable_answer;
        "sets a header that frames the response": unsendable_answer;
        "answers with a status that is none, or that has no body, and a body": unsendable_answer;
        "writes XML into the message of an error": xml_injection;
    }
    "calls": {
        "calls the host as fast as it can, with as much as it has": host_call_flood;
        "logs without end": log_flood;
        "logs line breaks and escape codes": log_flood;
    }
    "binaries": {
        "is cut off, in the middle and between sections": broken_binary;
        "has bits flipped": broken_binary;
        "is text": broken_binary;
        "is a native program": broken_binary;
        "imports what there is not": wrong_contract;
        "lacks an export": wrong_contract;
        "is of another version of the contract": wrong_contract;
        "changes in its file while it is loaded": changed_file;
    }
    "authority": {
        "asserts a principal without the grant, or one that is not there": forged_principal;
        "reads and writes the documents of another plugin": foreign_document;
        "claims an operation of the gateway, or a sub-resource that means something to S3": foreign_claim;
        "attaches a wider ACL to an upload": acl_widening;
    }
    "isolation": {
        "counts the requests that it has seen": left_behind;
        "looks for what others left in its memory": left_behind memory_fill;
        "works for a client that goes away, at every point at which the gateway waits": gone_client;
        "refuses while a large body arrives": unwanted_body;
        "has not decided yet while a client waits to be asked for its body": unwanted_body;
        "fails, in every way, in every phase, under every policy": failure_policy;
    }
}

/// What is no guest, by the file that tests it and the name of the test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "a thousand generations under load",
        "tests/tests/reload_under_load.rs",
        "a_thousand_reloads_under_load_cost_no_request_no_wrong_verdict_and_no_memory",
    ),
    (
        "a generation that cannot be used",
        "tests/tests/reload.rs",
        "a_generation_that_cannot_be_used_leaves_the_old_one_serving_and_says_why",
    ),
];

#[test]
fn what_is_tested_elsewhere_is_tested_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (what, file, test) in ELSEWHERE {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(
            text.contains(&format!("#[test]\nfn {test}()")),
            "{what}: {file} has no {test}"
        );
    }
}

#[test]
fn every_guest_is_of_an_item_and_has_a_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if matches!(name.as_str(), "main" | "support") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{name} does not say what it does");
        assert!(text.contains("#[test]\nfn "), "{name} has no test");
        assert!(
            ITEMS
                .iter()
                .any(|(_, _, files)| files.contains(&name.as_str())),
            "{name} is of no item"
        );
        files.push(name);
    }
    for (area, what, guests) in ITEMS {
        for guest in *guests {
            assert!(
                files.iter().any(|file| file == guest),
                "{area}: a guest {what}: there is no {guest}.rs"
            );
        }
    }
}

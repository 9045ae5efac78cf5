//! Hostile guests, and what becomes of them: nothing, for everybody else.
//!
//! A file of this folder is one thing that a guest, or whoever hands out its
//! binary, may do to the host, together with the tests that it is survived.
//! [`ITEMS`] is the list of what must be survived, each with its tests by name:
//! one that is gone, and one that is of no item, are failures.

#![deny(dead_code, unused)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "../../gateway/host/tests/guest/mod.rs"]
mod guest;
mod support;

/// Makes the list of what is survived, each with the tests that show it.
macro_rules! items {
    ($($area:literal: { $($what:literal: $($file:ident::{$($test:ident),+})+;)+ })+) => {
        /// By area: what a guest does, and the tests of it, each with its file.
        const ITEMS: &[(&str, &str, &[(&str, &str)])] = &[
            $($(($area, $what, &[$($((stringify!($file), stringify!($test))),+),+]),)+)+
        ];
    };
}

mod acl_widening;
mod broken_binary;
mod changed_file;
mod deep_recursion;
mod endless_bill;
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
        "never returns, from any export or from `start`":
            endless_loop::{it_is_stopped_in_every_phase, it_is_stopped_before_the_first_phase_as_well};
        "asks the host in an endless loop":
            host_call_flood::{a_loop_around_host_calls_ends, what_the_host_does_for_it_counts_as_its_time};
        "writes to all of its memory, over and over":
            memory_fill::{it_does_not_outlast_its_time};
        "uses up its time while others have theirs":
            own_deadline::{one_deadline_does_not_shorten_another};
        "only waits, until the clock on the wall says that it is enough":
            own_deadline::{one_that_has_not_used_its_time_up_is_stopped_by_the_clock_on_the_wall}
            slow_service::{a_host_call_that_waits_counts_as_its_time};
        "spins on every core while somebody asks whether the gateway lives":
            spinning_cores::{others_are_decided_meanwhile, the_gateway_says_meanwhile_that_it_lives};
    }
    "memory": {
        "grows to its limit, and beyond":
            memory_growth::{memory_grows_to_the_limit_and_not_beyond, one_that_does_not_mind_is_not_disturbed};
        "begins above its limit":
            memory_growth::{it_cannot_begin_above_the_limit, a_second_memory_is_refused};
        "recurses until there is no stack":
            deep_recursion::{it_stays_inside, crashes_stay_inside};
        "takes the last instance of the pool, and crashes, is cancelled, or is in the host as that panics":
            exhausted_pool::{
                when_the_pool_is_empty_a_request_is_told_to_slow_down,
                an_instance_is_given_back_however_it_ends,
                a_place_inside_a_plugin_is_given_back_as_well,
                instances_that_wait_for_a_request_leave_the_pool_to_others,
                no_number_of_slow_clients_takes_the_places_of_others
            };
    }
    "output": {
        "hands out too much":
            oversized_output::{
                the_body_of_an_answer_ends_at_the_limit,
                a_list_ends_at_the_limit_though_its_entries_lie_in_one_place,
                a_text_that_ends_outside_of_its_memory_is_none
            };
        "hands out text that is not UTF-8":
            unsendable_answer::{text_that_is_not_utf_8_is_refused};
        "hands out headers with CR, LF or NUL in them":
            unsendable_answer::{a_header_that_would_end_itself_is_not_sent};
        "sets a header that frames the response":
            unsendable_answer::{a_header_that_is_the_gateways_to_set_is_not_sent};
        "answers with a status that is none, or that has no body, and a body":
            unsendable_answer::{
                a_status_that_ends_no_request_or_has_no_body_is_not_sent_with_one,
                a_status_that_has_no_body_is_sent_without_one
            };
        "writes XML into the message of an error":
            xml_injection::{the_body_of_the_error_stays_one_document};
    }
    "calls": {
        "calls the host as fast as it can, with as much as it has":
            host_call_flood::{it_cannot_have_the_host_copy_more_than_it_has_memory_for};
        "meters, and asks for the fields of a form, without end":
            endless_bill::{
                metering_without_end_is_a_flood_like_any_other,
                asking_for_fields_without_end_is_a_flood_like_any_other
            };
        "plans a bucket with texts that are too long, and too many":
            endless_bill::{a_plan_without_measure_is_refused_or_ends_the_guest};
        "logs without end":
            log_flood::{lines_above_the_limit_are_dropped_and_calls_above_theirs_are_a_failure};
        "logs line breaks and escape codes":
            log_flood::{a_line_is_one_line_without_codes_and_not_long};
    }
    "binaries": {
        "is cut off, in the middle and between sections":
            broken_binary::{one_that_is_cut_off_is_refused};
        "has bits flipped":
            broken_binary::{no_flipped_bit_brings_the_host_down};
        "is text, or a native program":
            broken_binary::{what_never_was_one_is_refused};
        "is made of several components that call each other":
            broken_binary::{one_that_is_made_of_several_is_compiled_or_refused};
        "imports what there is not":
            wrong_contract::{an_import_that_there_is_not_is_named};
        "lacks an export, or has one of another shape":
            wrong_contract::{
                a_component_without_the_exports_of_a_plugin_is_refused,
                a_function_of_another_shape_is_refused
            };
        "is of another version of the contract":
            wrong_contract::{another_version_of_the_contract_is_named};
        "changes in its file while it is loaded":
            changed_file::{what_is_compiled_has_the_digest_that_is_expected};
    }
    "authority": {
        "asserts a principal without the grant, or one that is not there":
            forged_principal::{
                a_principal_needs_the_grant_and_an_account,
                all_but_the_id_is_what_the_gateway_knows
            };
        "reads and writes the documents of another plugin":
            foreign_document::{
                what_it_writes_is_its_own_and_written_only_where_it_may,
                what_another_wrote_is_not_there_for_it
            };
        "claims an operation of the gateway, or a sub-resource that means something to S3":
            foreign_claim::{
                no_operation_of_the_gateway_can_be_claimed,
                no_operation_or_sub_resource_has_two_that_serve_it,
                a_name_that_means_something_to_s3_is_no_sub_resource_of_a_plugin
            };
        "attaches a wider ACL to an upload":
            acl_widening::{what_decides_is_the_document_of_the_plugin_that_decides};
    }
    "isolation": {
        "counts the requests that it has seen":
            left_behind::{
                a_counter_of_a_fresh_instance_always_reads_one,
                a_counter_of_one_that_is_reused_goes_on
            };
        "looks for what others left in its memory":
            left_behind::{
                memory_that_one_wrote_is_not_seen_by_the_next_in_its_place,
                memory_that_one_grew_into_is_not_seen_either
            }
            memory_fill::{it_is_survived_and_not_seen_by_the_next};
        "works for a client that goes away, at every point at which the gateway waits":
            gone_client::{nothing_stays_taken};
        "refuses while a large body arrives":
            unwanted_body::{a_denial_does_not_wait_for_the_body};
        "has not decided yet while a client waits to be asked for its body":
            unwanted_body::{
                a_client_that_waits_to_be_asked_is_refused_instead,
                a_client_is_asked_only_after_the_last_vote
            };
        "fails, in every way, in every phase, under every policy":
            failure_policy::{every_kind_of_failure_comes_to_what_the_policy_says_in_every_phase};
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
    (
        "compiled code that was tampered with",
        "gateway/host/tests/cache.rs",
        "code_that_was_changed_is_not_run_but_compiled_again",
    ),
    (
        "a folder of compiled code that others can write to",
        "gateway/host/tests/cache.rs",
        "a_folder_that_is_not_safe_is_not_used_and_the_gateway_starts_all_the_same",
    ),
    (
        "a plugin that cannot be loaded, or refuses its settings",
        "gateway/host/tests/policy.rs",
        "a_broken_plugin_is_never_passed_over_in_silence",
    ),
    (
        "a plugin that fails again and again",
        "gateway/host/tests/isolation.rs",
        "a_plugin_that_fails_for_several_clients_is_left_alone_and_tried_again",
    ),
    (
        "one plugin that misbehaves at random, for a long time",
        "tests/tests/soak.rs",
        "one_plugin_that_misbehaves_harms_no_other_request",
    ),
    (
        "the same behind a gateway",
        "tests/tests/soak.rs",
        "a_gateway_with_one_plugin_that_misbehaves_serves_the_other_buckets",
    ),
];

/// The names of the tests in a source.
fn tests(source: &str) -> Vec<&str> {
    source
        .split("#[test]\nfn ")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("()")?.0))
        .collect()
}

#[test]
fn what_is_tested_elsewhere_is_tested_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (what, file, test) in ELSEWHERE {
        let source = fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(
            tests(&source).contains(test),
            "{what}: {file} has no {test}"
        );
    }
}

#[test]
fn every_item_has_its_tests_and_every_test_is_of_an_item() {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if matches!(&*file, "main" | "support") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        assert!(
            source.starts_with("//! "),
            "{file} does not say what it does"
        );
        let tests = tests(&source);
        assert!(!tests.is_empty(), "{file} has no test");
        found.extend(tests.iter().map(|test| (file.clone(), (*test).to_owned())));
    }
    let mut listed = BTreeSet::new();
    for (area, what, tests) in ITEMS {
        for (file, test) in *tests {
            let test = ((*file).to_owned(), (*test).to_owned());
            assert!(
                found.contains(&test),
                "{area}: a guest {what}: there is no {test:?}"
            );
            listed.insert(test);
        }
    }
    let strays: Vec<_> = found.difference(&listed).collect();
    assert!(strays.is_empty(), "of no item are {strays:?}");
}

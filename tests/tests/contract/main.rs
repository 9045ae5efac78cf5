//! The contract as data: every operation that is promised, with what it does,
//! what it refuses, and what of malformed input becomes.
//!
//! The cases are in `tests/contract/*.yaml`, one a line and one file for each
//! operation; `table.rs` says what a line may hold, and `tests/CONTRACT.md` counts
//! them. The words in `SLUICE_CONTRACT`, such as `put-bucket-cors.yaml:12`, choose
//! some of the cases.

mod actor;
mod answer;
mod page;
mod rows;
mod run;
mod table;
mod variables;
mod xml;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rows::{KINDS, Kind, ROWS};
use table::{Case, Table};

/// A table that lost its cases would pass.
const CASES_MIN: usize = 1000;

#[test]
fn every_row_of_the_contract_is_kept() {
    let table = Table::read(&folder());
    let chosen = env::var("SLUICE_CONTRACT").unwrap_or_default();
    let words: Vec<_> = chosen.split_whitespace().collect();
    let cases: Vec<_> = table
        .cases()
        .filter(|case| words.iter().all(|word| case.to_string().contains(word)))
        .collect();
    let failures = run::all(&cases, &table.steps, &folder().join("servers"));
    assert!(
        failures.is_empty(),
        "{} of {} cases fail:\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

#[test]
fn every_row_has_a_success_a_refusal_and_a_malformed_input_or_says_why_not() {
    let table = Table::read(&folder());
    let named: BTreeSet<_> = table.files.iter().map(|file| file.row.as_str()).collect();
    let promised: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(named, promised, "the files, and the rows of the contract");
    assert_eq!(table.files.len(), ROWS.len(), "a row has two files");
    for file in &table.files {
        for kind in KINDS {
            let cases = file.count(kind);
            match file.none.get(kind.name()) {
                None => assert!(
                    cases > 0,
                    "{}: no {}, and no reason",
                    file.name,
                    kind.name()
                ),
                Some(reason) => assert!(
                    cases == 0 && !reason.is_empty(),
                    "{}: there are cases, or the reason is empty: {}",
                    file.name,
                    kind.name()
                ),
            }
        }
    }
    assert!(table.cases().count() >= CASES_MIN);
}

#[test]
fn a_success_that_writes_or_deletes_shows_that_it_did() {
    let table = Table::read(&folder());
    let bare: Vec<_> = table
        .cases()
        .filter(|case| case.kind == Kind::Success && case.changes() && !case.is_shown())
        .map(Case::to_string)
        .collect();
    assert!(
        bare.is_empty(),
        "{} cases show a status and nothing else:\n{}",
        bare.len(),
        bare.join("\n")
    );
}

#[test]
fn no_two_cases_of_a_row_are_called_the_same() {
    for file in &Table::read(&folder()).files {
        let mut known = BTreeSet::new();
        for case in &file.cases {
            assert!(known.insert(&case.shows), "{case}: twice");
        }
    }
}

#[test]
fn the_page_counts_the_cases_that_there_are() {
    let written = page::write(&Table::read(&folder()));
    let file = folder().join("../CONTRACT.md");
    if env::var("SLUICE_CONTRACT_PAGE").as_deref() == Ok("write") {
        fs::write(&file, &written).expect("the page is writable");
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == written,
        "tests/CONTRACT.md is not what the cases make of it; write it anew with\n\
         SLUICE_CONTRACT_PAGE=write cargo test --workspace --test contract the_page"
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contract")
}

//! The page that counts the cases.

use std::fmt::Write;

use crate::rows::{KINDS, PARTS, ROWS};
use crate::table::{File, Table};

const HEAD: &str = "# The contract

Every operation that is promised, and the cases that hold it to that promise: what it does, what it refuses, and what
of malformed input becomes. A case is one line of the file that the row leads to; `tests/tests/contract` runs them all
against a gateway. This page is written from them:
`SLUICE_CONTRACT_PAGE=write cargo test --workspace --test contract the_page`.
";

pub(crate) fn write(table: &Table) -> String {
    let mut page = HEAD.to_owned();
    let mut sums = [0; KINDS.len()];
    for part in PARTS {
        write!(
            page,
            "\n## {part}\n\n| operation | success | refusal | malformed |\n|---|---|---|---|\n"
        )
        .expect("a string takes everything");
        for row in ROWS.iter().filter(|row| row.part == part) {
            let file = table.files.iter().find(|file| file.row == row.name);
            let file = file.unwrap_or_else(|| panic!("there is no file for `{}`", row.name));
            let counts = KINDS.map(|kind| file.count(kind));
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
            line(
                &mut page,
                &format!("[{}](contract/{})", row.name, file.name),
                counts,
            );
        }
    }
    page.push_str("\n## All together\n\n| | success | refusal | malformed |\n|---|---|---|---|\n");
    line(
        &mut page,
        &format!("{} cases", sums.iter().sum::<usize>()),
        sums,
    );
    reasons(&mut page, &table.files);
    page
}

fn line(page: &mut String, name: &str, counts: [usize; KINDS.len()]) {
    let counts = counts.map(|count| match count {
        0 => "–".to_owned(),
        count => count.to_string(),
    });
    writeln!(page, "| {name} | {} |", counts.join(" | ")).expect("a string takes everything");
}

/// Why some rows have no cases of some kind.
fn reasons(page: &mut String, files: &[File]) {
    if files.iter().all(|file| file.none.is_empty()) {
        return;
    }
    page.push_str("\n## Where there is none\n\n");
    for row in ROWS {
        let Some(file) = files.iter().find(|file| file.row == row.name) else {
            continue;
        };
        for (kind, reason) in &file.none {
            writeln!(page, "- {}, {kind}: {reason}.", row.name).expect("a string takes everything");
        }
    }
}

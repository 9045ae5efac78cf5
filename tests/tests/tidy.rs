//! What must not be in the sources: the invariants that a reader cannot see,
//! because they are absences.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the workspace, by its path from the root.
struct Source {
    path: String,
    bytes: Vec<u8>,
}

impl Source {
    fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// The lines that are not comments, numbered.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text().lines().enumerate();
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }

    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace is there")
}

fn sources() -> Vec<Source> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let entry = entry.expect("an entry of a folder");
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().expect("an entry has a type");
            let name = name.to_string_lossy();
            // A work tree has `.git` as a file, and that names its place.
            let generated = matches!(
                &*name,
                "target" | ".git" | "__pycache__" | "node_modules" | "sluice-data"
            );
            if generated {
                continue;
            }
            if kind.is_dir() {
                walk(root, &path, found);
            } else if kind.is_file() {
                let relative = path.strip_prefix(root).expect("it is below the root");
                let path_text = relative.to_string_lossy().into_owned();
                found.push(Source {
                    path: path_text,
                    bytes: fs::read(&path).expect("a readable file"),
                });
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found
}

fn rust() -> impl Iterator<Item = Source> {
    sources()
        .into_iter()
        .filter(|source| source.path.ends_with(".rs"))
}

fn manifests() -> impl Iterator<Item = Source> {
    sources()
        .into_iter()
        .filter(|source| source.path.ends_with("Cargo.toml"))
}

/// No line of code outside of `allowed` contains `word`.
fn only(word: &str, allowed: &[&str]) {
    let this = "tests/tests/tidy.rs";
    let mut strays = Vec::new();
    for source in rust()
        .filter(|source| source.path != this && !allowed.iter().any(|path| source.is_below(path)))
    {
        strays.extend(
            source
                .code()
                .filter(|(_, line)| line.contains(word))
                .map(|(at, _)| format!("{}:{at}", source.path)),
        );
    }
    assert!(
        strays.is_empty(),
        "only {allowed:?} may know `{word}`, but so do {strays:#?}"
    );
}

#[test]
fn each_library_behind_a_boundary_is_known_in_one_place() {
    only("quick_xml::", &["gateway/s3/src/xml"]);
    only("wasmtime::", &["gateway/host/"]);
    only("fjall::", &["storage/erasure/src/index"]);
}

#[test]
fn each_boundary_is_in_the_manifests_too() {
    for (dependency, allowed) in [
        ("quick-xml", &["gateway/s3"][..]),
        ("wasmtime", &["gateway/host"]),
        ("fjall", &["storage/erasure"]),
        ("reed-solomon-erasure", &["storage/erasure"]),
        ("saphyr-parser", &["config"]),
        ("wit-bindgen", &["plugin-sdk"]),
        ("hyper", &["gateway", "tests"]),
        ("reqwest", &["gateway"]),
        ("rustls", &["gateway", "tests"]),
        ("erasure", &["gateway"]),
        ("host", &["gateway", "gateway/trial", "tests"]),
        ("trial", &["gateway", "tests"]),
        ("plugins-build", &["gateway"]),
        ("config", &["gateway", "tests"]),
    ] {
        let mut depend: Vec<String> = manifests()
            .filter(|manifest| dependencies(manifest).contains(&dependency))
            .filter_map(|manifest| manifest.path.strip_suffix("/Cargo.toml").map(str::to_owned))
            .collect();
        depend.sort();
        // Both ways: a boundary that nobody stands behind is a stale line here.
        assert_eq!(depend, allowed, "`{dependency}` belongs to these");
    }
}

#[test]
fn one_place_writes_error_bodies() {
    // The second answers what never became a request.
    let places = [
        "gateway/src/stage/respond.rs",
        "gateway/src/server/refusal.rs",
        "gateway/s3/",
    ];
    only(".to_xml(", &places);
}

#[test]
fn policy_is_not_in_the_core() {
    let words = [
        "x-amz-acl",
        "x-amz-grant",
        "x-amz-tagging",
        "x-amz-request-payer",
        "AccessControlPolicy",
        "CORSRule",
        "AllUsers",
    ];
    // What measures plugins asks about what they look at.
    let core = |source: &Source| {
        let gateway = source.is_below("gateway/src/") && !source.is_below("gateway/src/bench/");
        gateway || source.is_below("storage/")
    };
    for source in rust().filter(core) {
        for (at, line) in source.code() {
            assert!(
                !words.iter().any(|word| line.contains(word)),
                "{}:{at} knows a policy: {line}",
                source.path
            );
        }
    }
}

#[test]
fn storage_knows_nothing_of_http_s3_or_wasm() {
    let strangers = [
        "http",
        "http-body",
        "hyper",
        "hyper-util",
        "rustls",
        "s3",
        "sluice-s3",
        "host",
        "quick-xml",
        "wasmtime",
        "wit-bindgen",
        "config",
        "sluice",
    ];
    for manifest in manifests().filter(|manifest| manifest.is_below("storage/")) {
        for dependency in dependencies(&manifest) {
            assert!(
                !strangers.contains(&dependency),
                "{} depends on {dependency}",
                manifest.path
            );
        }
    }
}

#[test]
fn the_wire_never_waits() {
    for source in rust().filter(|source| source.is_below("gateway/s3/")) {
        for (at, line) in source.code() {
            let waits = [
                ".await",
                "async fn",
                "async move",
                "async {",
                "tokio::",
                "std::fs",
                "std::net",
            ];
            assert!(
                !waits.iter().any(|word| line.contains(word)),
                "{}:{at} waits: {line}",
                source.path
            );
        }
    }
}

#[test]
fn dependencies_and_lints_are_declared_once() {
    for manifest in manifests().filter(|manifest| manifest.path != "Cargo.toml") {
        let text = manifest.text();
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} has lints of its own",
            manifest.path
        );
        // What is written as a table of its own would not be seen here.
        assert!(
            !text.contains("dependencies."),
            "{} has a table for one dependency",
            manifest.path
        );
        for line in dependency_lines(text) {
            assert!(
                line.contains("workspace = true"),
                "{}: {line}",
                manifest.path
            );
        }
    }
}

/// The names of what a package depends on.
fn dependencies(manifest: &Source) -> Vec<&str> {
    dependency_lines(manifest.text())
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .collect()
}

fn dependency_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut within = false;
    text.lines().filter(move |line| {
        if line.starts_with('[') {
            within = line.trim_end_matches(']').ends_with("dependencies");
            return false;
        }
        within
            && line.starts_with(|first: char| first.is_ascii_alphanumeric())
            && line.contains('=')
    })
}

#[test]
fn every_module_says_what_it_is_for() {
    for source in rust().filter(|source| source.path.contains("/src/")) {
        // Tests of a module, in a file of their own, are for that module.
        if source.path.ends_with("/tests.rs") {
            continue;
        }
        assert!(
            source.text().trim_start().starts_with("//!"),
            "{} does not begin with `//!`",
            source.path
        );
    }
}

#[test]
fn a_newcomer_finds_the_way_in() {
    let root = root();
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    for command in ["cargo run --release", "cargo test"] {
        assert!(
            readme.contains(command),
            "the README does not say `{command}`"
        );
    }
    for folder in ["config/examples", "plugin-sdk/examples"] {
        let mut entries =
            fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        assert!(entries.next().is_some(), "{folder} is empty");
    }
    let mut top: Vec<_> = fs::read_dir(&root)
        .expect("the root")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    top.retain(|name| {
        !name.starts_with('.') && !matches!(name.as_str(), "Cargo.lock" | "target" | "sluice-data")
    });
    top.sort();
    assert_eq!(
        top,
        [
            "Cargo.toml",
            "README.md",
            "config",
            "gateway",
            "plugin-sdk",
            "plugins",
            "storage",
            "tests"
        ]
    );
}

#[test]
fn nothing_remembers_the_machine_it_was_made_on() {
    // In pieces, so that this file does not contain what it looks for.
    let homes = [
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
        ["/Us", "ers/"].concat(),
        ["/wo", "rk/"].concat(),
        format!("{}/", root().display()),
    ];
    for source in sources() {
        for home in &homes {
            let found = source
                .bytes
                .windows(home.len())
                .position(|window| window == home.as_bytes());
            let Some(at) = found else { continue };
            let line = source.bytes[..at]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            // A longer path may contain the same letters, as in `network/`.
            let inside = at > 0
                && (source.bytes[at - 1].is_ascii_alphanumeric()
                    || matches!(source.bytes[at - 1], b'.' | b'_' | b'-' | b'}'));
            assert!(inside, "{}:{line} mentions {home}", source.path);
        }
    }
}

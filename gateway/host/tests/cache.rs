//! Compiled code from the disk: a second start finds it, and nothing that was
//! changed is run.

#![expect(clippy::unwrap_used, reason = "a start that fails is a mistake here")]

mod guest;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use guest::Guest;
use host::{Cached, Host, Settings};

/// Starts a host with this folder, loads a guest, and asks it.
fn start(folder: &Path) -> Cached {
    let settings = Settings {
        cache: Some(folder.to_owned()),
        ..Settings::default()
    };
    let host: Arc<Host> = Host::new(settings).unwrap();
    let chain = guest::chain_on(&host, &[Guest::allowing()]);
    assert_eq!(guest::decide(&chain), "ok");
    host.cached()
}

fn cached(hits: u64, misses: u64, refused: u64) -> Cached {
    Cached {
        hits,
        misses,
        refused,
    }
}

/// The only file of code in a folder.
fn code(folder: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let file = files.find(|file| file.file_name().len() == 64);
    file.unwrap().path()
}

#[test]
fn code_is_compiled_once_for_all_starts() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    assert_eq!(start(&folder), cached(0, 1, 0));
    assert_eq!(start(&folder), cached(1, 0, 0));
}

#[test]
fn code_that_was_changed_is_not_run_but_compiled_again() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    start(&folder);
    let file = code(&folder);
    let len = fs::read(&file).unwrap().len();
    for at in [0, 31, 32, 50, 80, 112, 119, 120, len / 2, len - 1] {
        let mut content = fs::read(&file).unwrap();
        content[at] ^= 1;
        fs::write(&file, content).unwrap();
        assert_eq!(start(&folder), cached(0, 0, 1), "{at}");
        assert_eq!(start(&folder), cached(1, 0, 0), "{at}");
    }
}

#[test]
fn a_folder_that_is_not_safe_is_not_used_and_the_gateway_starts_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("cache");
    start(&folder);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(start(&folder), Cached::default());
    assert_eq!(start(Path::new("/proc/nowhere")), Cached::default());
}

//! Which of some files have changed: what a file system tells of them without
//! reading them.
//!
//! Looked at again and again, this works on every file system and however a file
//! is replaced: written over, renamed into place, or by another target of a link.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Option<Stamp>>);

/// Of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    /// In seconds and nanoseconds.
    modified: (i64, i64),
    /// Also changes where the time of modification is set back, and with the owner or the mode.
    changed: (i64, i64),
}

impl Stamps {
    pub(crate) fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamped = files.into_iter().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        Self(stamped.collect())
    }

    /// The same files as they are now.
    pub(crate) fn renewed(&self) -> Self {
        Self::of(self.0.keys().cloned())
    }

    /// Those of other files; one that is stamped already keeps that.
    pub(crate) fn of_these(mut self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamped = files.into_iter().map(|path| {
            let known = self.0.remove(&path);
            let stamp = known.unwrap_or_else(|| Stamp::of(&path));
            (path, stamp)
        });
        Self(stamped.collect())
    }
}

impl Stamp {
    fn of(path: &std::path::Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_replace_a_file_is_seen_and_a_look_at_it_is_not_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "one").unwrap();
        fs::write(path("a"), "a").unwrap();
        fs::write(path("b"), "b").unwrap();
        symlink(path("a"), path("link")).unwrap();
        let mut seen = Stamps::of(["file", "link", "missing"].map(path));
        let mut check = |what: &str, act: &dyn Fn(), expected: bool| {
            act();
            let now = seen.renewed();
            assert_eq!(now != seen, expected, "{what}");
            seen = now;
        };
        check("nothing", &|| {}, false);
        check("read", &|| drop(fs::read(path("file"))), false);
        check(
            "longer",
            &|| fs::write(path("file"), "three").unwrap(),
            true,
        );
        check(
            "renamed into place",
            &|| {
                fs::write(path("new"), "other").unwrap();
                fs::rename(path("new"), path("file")).unwrap();
            },
            true,
        );
        check(
            "another target of the link",
            &|| {
                symlink(path("b"), path("link2")).unwrap();
                fs::rename(path("link2"), path("link")).unwrap();
            },
            true,
        );
        check("made", &|| fs::write(path("missing"), "").unwrap(), true);
        check(
            "removed",
            &|| fs::remove_file(path("missing")).unwrap(),
            true,
        );
        check("not watched", &|| fs::write(path("a"), "c").unwrap(), false);
    }

    #[test]
    fn a_file_that_is_watched_on_keeps_its_stamp_and_others_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["kept", "dropped", "new"] {
            fs::write(path(name), name).unwrap();
        }
        let before = Stamps::of(["kept", "dropped"].map(path));
        fs::write(path("kept"), "changed since").unwrap();
        let after = before.of_these(["kept", "new"].map(path));
        assert_ne!(
            after,
            after.renewed(),
            "that `kept` changed is still to be seen"
        );
        assert_eq!(after.0.keys().count(), 2);
    }
}

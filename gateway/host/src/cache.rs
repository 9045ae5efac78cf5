//! Compiled code, kept on the disk from one start to the next.
//!
//! Loading compiled code is running it, so nothing is loaded that was not written
//! here: the folder is one that only its owner can write to, and every file is
//! authenticated with a key that only its owner can read. What does not verify is
//! as good as not there. Files get their names when they are whole, so that
//! several processes may share a folder.

use std::fs::{self, DirBuilder, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// What was found on the disk, since the host was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cached {
    pub hits: u64,
    pub misses: u64,
    /// Files that did not verify.
    pub refused: u64,
}

/// Compiled code on the disk, for one engine.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: Folder,
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
}

impl Cache {
    pub(crate) fn open(path: &Path, engine: &Engine) -> io::Result<Self> {
        let mut identity = Fingerprint(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut identity);
        env!("CARGO_PKG_VERSION").hash(&mut identity);
        Ok(Self {
            folder: Folder::open(path, identity.0.finalize().into(), BOUNDS)?,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// The code of a component of this digest.
    pub(crate) fn code(
        &self,
        engine: &Engine,
        digest: [u8; 32],
        component: &[u8],
    ) -> wasmtime::Result<Component> {
        let (count, outcome) = match self.folder.get(digest) {
            Ok(Found::Whole(code)) => {
                // SAFETY: the code is authenticated with a key that only the user
                // can read whom this process runs as, so this program wrote it,
                // after it compiled it in an engine of the same identity.
                match unsafe { Component::deserialize(engine, &code) } {
                    Ok(code) => {
                        self.count(&self.hits, "hit");
                        return Ok(code);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "compiled code cannot be used any more");
                        (&self.refused, "refused")
                    }
                }
            }
            Ok(Found::Nothing) => (&self.misses, "miss"),
            Ok(Found::Refused) => {
                tracing::warn!("a file of compiled code was changed; it is not used");
                (&self.refused, "refused")
            }
            Err(error) => {
                tracing::warn!(%error, "compiled code cannot be read");
                (&self.misses, "miss")
            }
        };
        self.count(count, outcome);
        let code = Component::from_binary(engine, component)?;
        let kept = code.serialize().map_err(io::Error::other);
        if let Err(error) = kept.and_then(|code| self.folder.put(digest, &code)) {
            tracing::warn!(%error, "compiled code cannot be kept");
        }
        Ok(code)
    }

    pub(crate) fn counts(&self) -> Cached {
        Cached {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn count(&self, count: &AtomicU64, outcome: &'static str) {
        count.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("sluice_plugin_cache_total", "outcome" => outcome).increment(1);
    }
}

/// The SHA-256 of what is hashed.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the whole digest is taken");
    }
}

/// A folder of authenticated files.
#[derive(Debug)]
struct Folder {
    fd: OwnedFd,
    key: Key,
    /// Of whatever makes one engine's code another's garbage.
    identity: [u8; 32],
    bounds: Bounds,
}

struct Key([u8; KEY_LEN]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    files_max: usize,
    /// Of all files together.
    len_max: u64,
}

const BOUNDS: Bounds = Bounds {
    files_max: 256,
    len_max: 1 << 30,
};

enum Found {
    Whole(Vec<u8>),
    Nothing,
    /// It is not what was written here.
    Refused,
}

/// A file is its MAC, then the MAGIC, the identity of the engine, the digest of
/// the component and the length of the code, then the code.
const MAGIC: &[u8; 16] = b"sluice code 001\n";
const MAC_LEN: usize = 32;
const HEADER_LEN: usize = MAGIC.len() + 32 + 32 + 8;

const KEY_NAME: &str = "key";
const KEY_LEN: usize = 32;

/// What is not finished has such a name; what never was is swept up later.
const UNFINISHED: &str = ".unfinished-";
const UNFINISHED_AGE_MAX: Duration = Duration::from_secs(3600);

impl Folder {
    fn open(path: &Path, identity: [u8; 32], bounds: Bounds) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // From here on it is this folder, whatever its path may come to name.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let folder = rustix::fs::fstat(&fd)?;
        check_owner(folder.st_uid)?;
        if folder.st_mode & 0o022 != 0 {
            return Err(io::Error::other("others may write to it; `chmod 700` it"));
        }
        let mut folder = Self {
            fd,
            key: Key([0; KEY_LEN]),
            identity,
            bounds,
        };
        folder.key = match folder.read_key()? {
            Some(key) => key,
            None => folder.make_key()?,
        };
        Ok(folder)
    }

    fn get(&self, digest: [u8; 32]) -> io::Result<Found> {
        let Some(file) = self.open_file(&self.name(digest))? else {
            return Ok(Found::Nothing);
        };
        let len = file.metadata()?.len();
        if len > self.bounds.len_max {
            return Ok(Found::Refused);
        }
        // All of it is read before any of it is believed.
        let mut content = Vec::new();
        (&file).take(len).read_to_end(&mut content)?;
        let Some((mac, rest)) = content.split_at_checked(MAC_LEN) else {
            return Ok(Found::Refused);
        };
        let Some((header, code)) = rest.split_at_checked(HEADER_LEN) else {
            return Ok(Found::Refused);
        };
        let verified = self.mac(header, code).verify_slice(mac).is_ok();
        if !verified || header != self.header(digest, code.len()) {
            return Ok(Found::Refused);
        }
        // What is in use is the last to be removed. Where the folder can only be
        // read, nothing is removed, and the code is right all the same.
        let _ = file.set_modified(SystemTime::now());
        Ok(Found::Whole(content.split_off(MAC_LEN + HEADER_LEN)))
    }

    fn put(&self, digest: [u8; 32], code: &[u8]) -> io::Result<()> {
        let header = self.header(digest, code.len());
        let mac = self.mac(&header, code).finalize().into_bytes();
        let unfinished = self.write(&[&mac, &header, code])?;
        let named = rustix::fs::renameat(&self.fd, &unfinished, &self.fd, self.name(digest));
        self.finish(&unfinished, named)?;
        self.tidy()
    }

    fn header(&self, digest: [u8; 32], len: usize) -> Vec<u8> {
        let len = (len as u64).to_le_bytes();
        [&MAGIC[..], &self.identity, &digest, &len].concat()
    }

    fn mac(&self, header: &[u8], code: &[u8]) -> Hmac<Sha256> {
        let hmac = Hmac::<Sha256>::new_from_slice(&self.key.0);
        let mut hmac = hmac.expect("a key may have any length");
        hmac.update(header);
        hmac.update(code);
        hmac
    }

    /// Code for other engines has other names, so that versions of the gateway can
    /// share a folder.
    fn name(&self, digest: [u8; 32]) -> String {
        let name = Sha256::new()
            .chain_update(self.identity)
            .chain_update(digest)
            .finalize();
        hex(&name)
    }

    fn read_key(&self) -> io::Result<Option<Key>> {
        let Some(file) = self.open_file(KEY_NAME)? else {
            return Ok(None);
        };
        let found = file.metadata()?;
        check_owner(found.uid())?;
        let mut key = [0; KEY_LEN];
        if found.mode() & 0o077 != 0 || found.len() != KEY_LEN as u64 {
            let reason = "its key is damaged or open to others; remove the file `key` in it";
            return Err(io::Error::other(reason));
        }
        (&file).read_exact(&mut key)?;
        Ok(Some(Key(key)))
    }

    /// Of several processes that make one, the first one's is everybody's.
    fn make_key(&self) -> io::Result<Key> {
        let mut key = [0; KEY_LEN];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let unfinished = self.write(&[&key])?;
        let flags = AtFlags::empty();
        let made = match rustix::fs::linkat(&self.fd, &unfinished, &self.fd, KEY_NAME, flags) {
            Err(rustix::io::Errno::EXIST) => Ok(()),
            made => made,
        };
        rustix::fs::unlinkat(&self.fd, &unfinished, AtFlags::empty())?;
        made?;
        rustix::fs::fsync(&self.fd)?;
        self.read_key()?
            .ok_or_else(|| io::Error::other("its key was removed"))
    }

    /// Writes a file that has no proper name yet.
    fn write(&self, parts: &[&[u8]]) -> io::Result<String> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{UNFINISHED}{}", hex(&random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, &name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        let written = parts.iter().try_for_each(|part| file.write_all(part));
        self.finish(&name, written.and_then(|()| file.sync_all()))?;
        Ok(name)
    }

    /// Removes what could not be finished. A name survives a crash only once its
    /// folder is synced.
    fn finish<E>(&self, unfinished: &str, done: Result<(), E>) -> io::Result<()>
    where
        io::Error: From<E>,
    {
        if let Err(error) = done {
            // It is swept up later, if not now.
            let _ = rustix::fs::unlinkat(&self.fd, unfinished, AtFlags::empty());
            return Err(error.into());
        }
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    /// A regular file of the folder.
    fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match file.metadata()?.is_file() {
            true => Ok(Some(file)),
            false => Err(io::Error::other(format!("`{name}` is not a file"))),
        }
    }

    /// Removes what was not used for the longest time, until the rest fits.
    fn tidy(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let unfinished = name.starts_with(UNFINISHED);
            let code = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !unfinished && !code {
                continue;
            }
            // Another process may have removed it.
            let Ok(file) = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let (seconds, nanoseconds) = (file.st_mtime, file.st_mtime_nsec);
            let used = (seconds, nanoseconds);
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            let age = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            if code {
                let len = u64::try_from(file.st_size).unwrap_or(0);
                files.push((used, len, name.to_owned()));
            } else if age.saturating_sub(since) > UNFINISHED_AGE_MAX {
                self.remove(name)?;
            }
        }
        files.sort();
        let mut len: u64 = files.iter().map(|(_, len, _)| len).sum();
        let mut left = files.len();
        for (_, file_len, name) in &files {
            if left <= self.bounds.files_max && len <= self.bounds.len_max {
                break;
            }
            self.remove(name)?;
            len -= file_len;
            left -= 1;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn check_owner(uid: u32) -> io::Result<()> {
    match uid == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(io::Error::other("it belongs to another user")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    const ENGINE: [u8; 32] = [7; 32];
    const DIGEST: [u8; 32] = [1; 32];

    fn open(path: &Path) -> Folder {
        Folder::open(path, ENGINE, BOUNDS).unwrap()
    }

    /// A folder in which one file is.
    fn filled() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data/cache");
        let folder = open(&path);
        folder.put(DIGEST, b"code").unwrap();
        let file = path.join(folder.name(DIGEST));
        (place, path, file)
    }

    fn found(folder: &Folder, digest: [u8; 32]) -> String {
        match folder.get(digest).unwrap() {
            Found::Whole(code) => String::from_utf8(code).unwrap(),
            Found::Nothing => "nothing".to_owned(),
            Found::Refused => "refused".to_owned(),
        }
    }

    #[test]
    fn what_was_written_is_found_by_those_with_the_same_engine() {
        let (_place, path, _) = filled();
        assert_eq!(found(&open(&path), DIGEST), "code");
        assert_eq!(found(&open(&path), [2; 32]), "nothing");
        let other = Folder::open(&path, [8; 32], BOUNDS).unwrap();
        assert_eq!(found(&other, DIGEST), "nothing");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(KEY_NAME)), 0o600);
        for entry in fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600);
            assert!(!entry.file_name().to_str().unwrap().starts_with(UNFINISHED));
        }
    }

    #[test]
    fn what_was_changed_anywhere_is_refused_and_can_be_replaced() {
        let (_place, path, file) = filled();
        let whole = fs::read(&file).unwrap();
        let mut changed = Vec::new();
        for place in 0..whole.len() {
            let mut content = whole.clone();
            content[place] ^= 0x10;
            changed.push(content);
        }
        for len in 0..whole.len() {
            changed.push(whole[..len].to_vec());
        }
        changed.push([&whole[..], b"more"].concat());
        for content in changed {
            fs::write(&file, &content).unwrap();
            assert_eq!(found(&open(&path), DIGEST), "refused", "{content:?}");
        }
        open(&path).put(DIGEST, b"code").unwrap();
        assert_eq!(found(&open(&path), DIGEST), "code");
    }

    #[test]
    fn a_file_of_another_component_or_engine_is_refused() {
        let (_place, path, file) = filled();
        let folder = open(&path);
        fs::copy(&file, path.join(folder.name([2; 32]))).unwrap();
        assert_eq!(found(&folder, [2; 32]), "refused");
        let other = Folder::open(&path, [8; 32], BOUNDS).unwrap();
        fs::copy(&file, path.join(other.name(DIGEST))).unwrap();
        assert_eq!(found(&other, DIGEST), "refused");
    }

    #[test]
    fn with_another_key_nothing_is_believed() {
        let (_place, path, _) = filled();
        fs::write(path.join(KEY_NAME), [0; KEY_LEN]).unwrap();
        assert_eq!(found(&open(&path), DIGEST), "refused");
        fs::remove_file(path.join(KEY_NAME)).unwrap();
        assert_eq!(found(&open(&path), DIGEST), "refused");
    }

    #[test]
    fn a_folder_that_others_can_write_to_or_read_the_key_of_is_not_used() {
        let (_place, path, _) = filled();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let refused = |word: &str| {
            let error = Folder::open(&path, ENGINE, BOUNDS).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        for mode in [0o770, 0o720, 0o702, 0o777] {
            set(&path, mode);
            refused("others may write");
        }
        for mode in [0o750, 0o755, 0o700] {
            set(&path, mode);
            open(&path);
        }
        let key = path.join(KEY_NAME);
        for mode in [0o640, 0o604, 0o660] {
            set(&key, mode);
            refused("key");
        }
        set(&key, 0o600);
        open(&path);
        fs::write(&key, [0; KEY_LEN - 1]).unwrap();
        refused("key");
        let link = path.parent().unwrap().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Folder::open(&link, ENGINE, BOUNDS).is_err());
        let file = path.parent().unwrap().join("file");
        fs::write(&file, "").unwrap();
        assert!(Folder::open(&file, ENGINE, BOUNDS).is_err());
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_makes_room() {
        let place = tempfile::tempdir().unwrap();
        let len = (MAC_LEN + HEADER_LEN + 4) as u64;
        for bounds in [
            Bounds {
                files_max: 2,
                ..BOUNDS
            },
            Bounds {
                len_max: 2 * len,
                ..BOUNDS
            },
        ] {
            let path = place.path().join(format!("{}", bounds.files_max));
            let folder = Folder::open(&path, ENGINE, bounds).unwrap();
            let age = |digest, seconds| {
                let file = File::open(path.join(folder.name([digest; 32]))).unwrap();
                let then = SystemTime::now() - Duration::from_secs(seconds);
                file.set_modified(then).unwrap();
            };
            for digest in [1, 2] {
                folder.put([digest; 32], b"code").unwrap();
                age(digest, 100 - u64::from(digest));
            }
            // It is used, so the other one goes.
            assert_eq!(found(&folder, [1; 32]), "code");
            folder.put([3; 32], b"code").unwrap();
            assert_eq!(found(&folder, [1; 32]), "code");
            assert_eq!(found(&folder, [2; 32]), "nothing");
            assert_eq!(found(&folder, [3; 32]), "code");
        }
    }

    #[test]
    fn what_a_crash_left_unfinished_is_swept_up_after_an_hour() {
        let (_place, path, _) = filled();
        let (old, new) = (path.join(".unfinished-old"), path.join(".unfinished-new"));
        for file in [&old, &new] {
            fs::write(file, "half").unwrap();
        }
        let then = SystemTime::now() - Duration::from_secs(3700);
        File::open(&old).unwrap().set_modified(then).unwrap();
        open(&path).put([2; 32], b"code").unwrap();
        assert!(!old.exists());
        assert!(new.exists());
        assert!(path.join(KEY_NAME).exists());
    }

    #[test]
    fn many_may_begin_and_write_at_the_same_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cache");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let folder = open(&path);
                    for digest in 0..10 {
                        folder.put([digest; 32], b"code").unwrap();
                        assert_eq!(found(&folder, [digest; 32]), "code");
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&path).unwrap().count(), 11);
    }
}

//! The credentials of the root account, made on the first start and kept in
//! files that only their owner can read. A file that was made is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// As long as those of AWS: 20 and 40 characters.
const ACCESS_KEY_LEN: usize = 20;
const SECRET_KEY_LEN: usize = 40;

/// 32 characters, so that five random bits choose one without bias.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Makes the files that are not there yet. Returns whether any was made.
pub fn ensure(access_key: &Path, secret_key: &Path) -> io::Result<bool> {
    let made_access_key = ensure_file(access_key, ACCESS_KEY_LEN)?;
    let made_secret_key = ensure_file(secret_key, SECRET_KEY_LEN)?;
    Ok(made_access_key || made_secret_key)
}

fn ensure_file(path: &Path, length: usize) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.len() == 0 => {
            return Err(io::Error::other(format!(
                "{} is empty; remove it, and the next start makes it anew",
                path.display()
            )));
        }
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    // Another name until the content is on the disk. Two that start at the same
    // time write two files, and only one of them gets the name.
    let unfinished = directory.join(format!(".unfinished-{}", generate(16)?));
    let made = write(&unfinished, &generate(length)?).and_then(|()| {
        match fs::hard_link(&unfinished, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    });
    // Where nothing was written, there is nothing to remove.
    let _ = fs::remove_file(&unfinished);
    // A name survives a crash only once its directory is synced.
    File::open(directory)?.sync_all()?;
    made
}

fn write(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

fn generate(length: usize) -> io::Result<String> {
    let mut random = vec![0; length];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)))
        .map(|&byte| char::from(byte))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn credentials_are_made_once_and_only_their_owner_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let (access, secret) = (
            directory.path().join("data/access"),
            directory.path().join("data/secret"),
        );
        assert!(ensure(&access, &secret).unwrap());
        let first = (
            fs::read_to_string(&access).unwrap(),
            fs::read_to_string(&secret).unwrap(),
        );
        assert_eq!(
            (first.0.trim().len(), first.1.trim().len()),
            (ACCESS_KEY_LEN, SECRET_KEY_LEN)
        );
        for path in [&access, &secret] {
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        assert!(!ensure(&access, &secret).unwrap());
        assert_eq!(fs::read_to_string(&access).unwrap(), first.0);
        let left = fs::read_dir(directory.path().join("data")).unwrap();
        assert_eq!(left.count(), 2, "only the two files are left");
    }

    #[test]
    fn of_many_that_start_at_the_same_time_one_makes_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/key");
        let made = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| ensure_file(&path, SECRET_KEY_LEN).unwrap()))
                .collect();
            makers
                .into_iter()
                .map(|maker| maker.join().unwrap())
                .filter(|made| *made)
                .count()
        });
        assert_eq!(made, 1);
        let key = fs::read_to_string(&path).unwrap();
        assert_eq!(key.trim().len(), SECRET_KEY_LEN);
    }

    #[test]
    fn an_empty_file_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "").unwrap();
        let error = ensure_file(&path, SECRET_KEY_LEN).unwrap_err().to_string();
        assert!(error.contains("key is empty; remove it"), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(ensure_file(&path, SECRET_KEY_LEN).unwrap());
    }
}

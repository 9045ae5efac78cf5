//! The credentials of the root account, made on the first start and kept in
//! files that only their owner can read.

use std::fs::{self, OpenOptions};
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
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    };
    writeln!(file, "{}", generate(length)?)?;
    file.sync_all()?;
    Ok(true)
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
    }
}

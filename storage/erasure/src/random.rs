//! Numbers that nobody can guess, for names.

use std::io;

pub(crate) fn id() -> io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(u128::from_le_bytes(bytes))
}

//! The format file: who a drive is. Two slots, written in turn, so that a crash
//! while one is written leaves the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;

use storage::Geometry;
use xxhash_rust::xxh3::xxh3_128;

use crate::drive::sync_dir;
use crate::geometry::Spread;
use crate::wire::{Malformed, Reader, Writer};

const MAGIC: [u8; 8] = *b"SLUICEFM";
/// A change of how records are spelled must change this.
pub(crate) const VERSION: u32 = 2;
const SLOT_LEN: usize = 4096;
const FILE: &str = "format";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    /// Grows with each rewriting; the slot of the greater one counts.
    pub(crate) generation: u64,
    pub(crate) deployment: u128,
    pub(crate) set: u16,
    pub(crate) spread: Spread,
    /// The run of the engine that last wrote to the drive; 0 before the first.
    pub(crate) epoch: u64,
    /// The place of this drive among `drives`.
    pub(crate) position: u8,
    /// All drives of the set.
    pub(crate) drives: Vec<u128>,
}

impl Format {
    pub(crate) fn drive_id(&self) -> u128 {
        self.drives
            .get(usize::from(self.position))
            .copied()
            .unwrap_or_default()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.0.extend_from_slice(&MAGIC);
        out.u32(VERSION);
        out.u64(self.generation);
        out.u128(self.deployment);
        out.u16(self.set);
        let geometry = self.spread.geometry();
        out.u8(geometry.data);
        out.u8(geometry.parity);
        out.u64(self.epoch);
        out.u8(self.position);
        out.count(self.drives.len());
        for drive in &self.drives {
            out.u128(*drive);
        }
        out.0.resize(SLOT_LEN - 16, 0);
        let hash = xxh3_128(&out.0);
        out.u128(hash);
        out.0
    }

    /// What a whole slot says, or the version of which it is.
    fn decode(slot: &[u8]) -> Result<Result<Self, u32>, Malformed> {
        let (content, hash) = slot.split_last_chunk::<16>().ok_or(Malformed)?;
        if xxh3_128(content) != u128::from_le_bytes(*hash) {
            return Err(Malformed);
        }
        let mut input = Reader::new(content);
        if input.take(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let version = input.u32()?;
        if version != VERSION {
            return Ok(Err(version));
        }
        let generation = input.u64()?;
        let deployment = input.u128()?;
        let set = input.u16()?;
        let geometry = Geometry {
            data: input.u8()?,
            parity: input.u8()?,
        };
        let spread = Spread::new(geometry).ok_or(Malformed)?;
        let epoch = input.u64()?;
        let position = input.u8()?;
        let drives = input.count()?;
        let drives = (0..drives)
            .map(|_| input.u128())
            .collect::<Result<Vec<_>, _>>()?;
        if drives.len() != spread.drives() || usize::from(position) >= drives.len() {
            return Err(Malformed);
        }
        Ok(Ok(Self {
            generation,
            deployment,
            set,
            spread,
            epoch,
            position,
            drives,
        }))
    }
}

/// What the format file of a directory says.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    /// There is a file, and neither slot is whole.
    Damaged,
    /// It was written by another version of the engine.
    Version(u32),
    Format {
        file: File,
        format: Format,
    },
}

pub(crate) fn read(root: &Path) -> io::Result<Found> {
    let file = match OpenOptions::new()
        .read(true)
        .write(true)
        .open(root.join(FILE))
    {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let slot = |index: u64| {
        let mut slot = vec![0; SLOT_LEN];
        file.read_exact_at(&mut slot, index * SLOT_LEN as u64)
            .ok()?;
        Format::decode(&slot).ok()
    };
    let mut found = Found::Damaged;
    let mut newest = 0;
    for slot in [slot(0), slot(1)].into_iter().flatten() {
        match slot {
            Ok(format) if format.generation >= newest => {
                newest = format.generation;
                let file = file.try_clone()?;
                found = Found::Format { file, format };
            }
            Ok(_) => {}
            Err(version) => return Ok(Found::Version(version)),
        }
    }
    Ok(found)
}

/// Makes the directories of a drive and writes its format for the first time.
pub(crate) fn create(root: &Path, format: &Format) -> io::Result<File> {
    create_private(&root.join("log"))?;
    create_private(&root.join("bulk"))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(root.join(FILE))?;
    file.set_len(2 * SLOT_LEN as u64)?;
    write(&file, format)?;
    sync_dir(root)?;
    if let Some(parent) = root.parent() {
        sync_dir(parent)?;
    }
    Ok(file)
}

/// Makes a folder, and those above it that are missing, which nobody but this user
/// can enter: whoever reads a drive reads every object.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// Overwrites the older slot.
pub(crate) fn write(file: &File, format: &Format) -> io::Result<()> {
    let slot = format.generation % 2 * SLOT_LEN as u64;
    file.write_all_at(&format.encode(), slot)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(generation: u64) -> Format {
        Format {
            generation,
            deployment: 1,
            set: 0,
            spread: Spread::new(Geometry { data: 2, parity: 1 }).unwrap(),
            epoch: generation,
            position: 1,
            drives: vec![7, 8, 9],
        }
    }

    fn found(root: &Path) -> Option<u64> {
        match read(root).unwrap() {
            Found::Format { format, .. } => Some(format.generation),
            Found::Nothing | Found::Damaged | Found::Version(_) => None,
        }
    }

    #[test]
    fn nobody_else_reads_a_drive() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("drives").join("one");
        let _ = create(&root, &format(1)).unwrap();
        for folder in [&root, &root.join("log"), &root.join("bulk")] {
            let mode = folder.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn a_drive_of_another_version_is_not_taken_for_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = create(dir.path(), &format(1)).unwrap();
        let mut slot = format(2).encode();
        slot.truncate(SLOT_LEN - 16);
        slot[MAGIC.len()] = 99;
        slot.extend_from_slice(&xxh3_128(&slot).to_le_bytes());
        file.write_all_at(&slot, 0).unwrap();
        assert!(matches!(read(dir.path()).unwrap(), Found::Version(99)));
    }

    #[test]
    fn the_newer_whole_slot_counts() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()).unwrap(), Found::Nothing));
        let file = create(dir.path(), &format(1)).unwrap();
        assert_eq!(found(dir.path()), Some(1));
        write(&file, &format(2)).unwrap();
        assert_eq!(found(dir.path()), Some(2));
        file.write_all_at(b"x", 100).unwrap();
        assert_eq!(found(dir.path()), Some(1));
        file.write_all_at(b"x", 4096 + 100).unwrap();
        assert!(matches!(read(dir.path()).unwrap(), Found::Damaged));
    }
}

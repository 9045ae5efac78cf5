//! Finds out what the drives are, formats new ones, and brings the store to the
//! point where it can serve. Every refusal names a drive and says what to do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::Geometry;

use crate::drive::{Drive, LocalDrive};
use crate::format::{self, Format, Found};
use crate::geometry::{DRIVES_MAX, Spread};
use crate::index;
use crate::log::short_id;
use crate::random;
use crate::replay::Source;

#[derive(Debug, Clone)]
pub struct Options {
    /// The directories of one set of drives.
    pub drives: Vec<PathBuf>,
    pub geometry: Geometry,
    /// A directory for the index, on a fast drive. It can be lost.
    pub index: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{data}+{parity} is not a geometry: it needs at least one data drive, no more parity than data, and at most {DRIVES_MAX} drives"
    )]
    Geometry { data: u8, parity: u8 },
    #[error(
        "{configured} drives are configured, but {data}+{parity} needs {needed}; configure one set of exactly so many"
    )]
    DriveCount {
        configured: usize,
        needed: usize,
        data: u8,
        parity: u8,
    },
    #[error("{}: the path is configured twice; give every drive a path of its own", .0.display())]
    PathTwice(PathBuf),
    #[error(
        "{}: the directory is not empty and not a drive of this store; name an empty one, or move its contents away", .0.display()
    )]
    Foreign(PathBuf),
    #[error(
        "{}: both copies of the format file are damaged; restore the file `format` from a backup, or empty the directory to go on without this drive", .0.display()
    )]
    FormatDamaged(PathBuf),
    #[error(
        "{}: the drive was written in format {found}, and this version knows format {} only; serve it with the version that wrote it, or name empty directories", path.display(), format::VERSION
    )]
    Version { path: PathBuf, found: u32 },
    #[error(
        "{}: the drive belongs to deployment {found}, but {} belongs to {expected}; put each drive back into its own store", path.display(), other.display()
    )]
    OtherDeployment {
        path: PathBuf,
        found: String,
        other: PathBuf,
        expected: String,
    },
    #[error(
        "{}: the drive was formatted as {found_data}+{found_parity}, but {data}+{parity} is configured; correct the geometry in the configuration", path.display()
    )]
    OtherGeometry {
        path: PathBuf,
        found_data: u8,
        found_parity: u8,
        data: u8,
        parity: u8,
    },
    #[error(
        "{}: this is the same drive as {}; one of them is a copy, remove it", path.display(), other.display()
    )]
    SameDrive { path: PathBuf, other: PathBuf },
    #[error(
        "{}: the drive is in use by another process; stop that one first", .0.display()
    )]
    Locked(PathBuf),
    #[error(
        "only {have} of {of} drives are there, and {need} are needed to read; missing: {missing}; mount or reconnect them"
    )]
    TooFewDrives {
        have: usize,
        need: usize,
        of: usize,
        missing: String,
    },
    #[error(
        "{}: all drives are empty, but the index knows a store; mount the drives, or remove the index to begin a new store", .0.display()
    )]
    AllEmpty(PathBuf),
    #[error("{}: {source}; check the drive and its permissions", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the index or the logs cannot be read: {0}")]
    Store(#[from] storage::Error),
}

/// The drives of a set, found and locked.
#[derive(Debug)]
pub(crate) struct Drives {
    pub(crate) spread: Spread,
    pub(crate) set: u16,
    pub(crate) deployment: u128,
    pub(crate) members: Vec<Member>,
    /// By position; for a missing drive the path that is left over.
    pub(crate) names: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) format: Format,
    pub(crate) drive: Arc<dyn Drive>,
}

impl Member {
    pub(crate) fn source(&self) -> Source {
        Source {
            position: usize::from(self.format.position),
            id: self.format.drive_id(),
            drive: self.drive.clone(),
        }
    }
}

pub(crate) fn find(
    options: &Options,
    wrap: &dyn Fn(LocalDrive) -> Arc<dyn Drive>,
) -> Result<Drives, OpenError> {
    let Geometry { data, parity } = options.geometry;
    let spread = Spread::new(options.geometry).ok_or(OpenError::Geometry { data, parity })?;
    if options.drives.len() != spread.drives() {
        return Err(OpenError::DriveCount {
            configured: options.drives.len(),
            needed: spread.drives(),
            data,
            parity,
        });
    }
    let mut found = Vec::new();
    let mut vacant = Vec::new();
    for (number, path) in options.drives.iter().enumerate() {
        if options
            .drives
            .iter()
            .take(number)
            .any(|other| other == path)
        {
            return Err(OpenError::PathTwice(path.clone()));
        }
        match inspect(path)? {
            Some((file, format)) => {
                lock(path, &file)?;
                found.push((path.clone(), file, format));
            }
            None => vacant.push(path.clone()),
        }
    }
    check_together(&found, spread)?;
    // Formatted, but never started: the formatting was interrupted.
    let new = found.iter().all(|(_, _, format)| format.epoch == 0);
    if new {
        if found.is_empty() && index::exists(&options.index) {
            return Err(OpenError::AllEmpty(options.index.clone()));
        }
        drop(found);
        found = format_all(&options.drives, spread)?;
        vacant.clear();
    }
    admit(found, vacant, spread, &options.drives, wrap)
}

/// What is in a directory: a drive, or nothing.
fn inspect(path: &Path) -> Result<Option<(File, Format)>, OpenError> {
    let failed = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    match format::read(path).map_err(failed)? {
        Found::Format { file, format } => Ok(Some((file, format))),
        Found::Damaged => Err(OpenError::FormatDamaged(path.to_owned())),
        Found::Version(found) => Err(OpenError::Version {
            path: path.to_owned(),
            found,
        }),
        Found::Nothing => {
            let entries = match std::fs::read_dir(path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                // What a new file system brings, and what an interrupted
                // formatting leaves.
                let name = entry.file_name();
                let ours = matches!(name.to_str(), Some("log" | "bulk"))
                    && std::fs::read_dir(entry.path()).is_ok_and(|mut all| all.next().is_none());
                if name != "lost+found" && !ours {
                    return Err(OpenError::Foreign(path.to_owned()));
                }
            }
            Ok(None)
        }
    }
}

fn lock(path: &Path, file: &File) -> Result<(), OpenError> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::Locked(path.to_owned())),
        Err(error) => Err(OpenError::Io {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

fn check_together(found: &[(PathBuf, File, Format)], spread: Spread) -> Result<(), OpenError> {
    let mut seen: BTreeMap<u128, &PathBuf> = BTreeMap::new();
    // With one stranger among many, the stranger is to be named.
    let expected = found.iter().max_by_key(|(_, _, format)| {
        let alike =
            |(_, _, other): &&(PathBuf, File, Format)| other.deployment == format.deployment;
        found.iter().filter(alike).count()
    });
    for (path, _, format) in found {
        if let Some((other, _, expected)) = expected
            && expected.deployment != format.deployment
        {
            return Err(OpenError::OtherDeployment {
                path: path.clone(),
                found: short_id(format.deployment),
                other: other.clone(),
                expected: short_id(expected.deployment),
            });
        }
        if format.spread != spread {
            let (found, configured) = (format.spread.geometry(), spread.geometry());
            return Err(OpenError::OtherGeometry {
                path: path.clone(),
                found_data: found.data,
                found_parity: found.parity,
                data: configured.data,
                parity: configured.parity,
            });
        }
        if let Some(other) = seen.insert(format.drive_id(), path) {
            return Err(OpenError::SameDrive {
                path: path.clone(),
                other: other.clone(),
            });
        }
    }
    Ok(())
}

fn format_all(
    paths: &[PathBuf],
    spread: Spread,
) -> Result<Vec<(PathBuf, File, Format)>, OpenError> {
    let random = || random::id().map_err(storage::Error::Io);
    let deployment = random()?;
    let drives = paths
        .iter()
        .map(|_| random())
        .collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for (path, position) in paths.iter().zip(0..) {
        let format = Format {
            generation: 1,
            deployment,
            set: 0,
            spread,
            epoch: 0,
            position,
            drives: drives.clone(),
        };
        let file = format::create(path, &format).map_err(|source| OpenError::Io {
            path: path.clone(),
            source,
        })?;
        lock(path, &file)?;
        found.push((path.clone(), file, format));
    }
    tracing::info!(drives = paths.len(), "a new store was made");
    Ok(found)
}

fn admit(
    found: Vec<(PathBuf, File, Format)>,
    vacant: Vec<PathBuf>,
    spread: Spread,
    configured: &[PathBuf],
    wrap: &dyn Fn(LocalDrive) -> Arc<dyn Drive>,
) -> Result<Drives, OpenError> {
    for path in &vacant {
        tracing::warn!(
            drive = %path.display(),
            "the drive is missing or empty; the store goes on without it and does not format it"
        );
    }
    let need = spread.k.max(1);
    if found.len() < need {
        let missing: Vec<String> = vacant
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(OpenError::TooFewDrives {
            have: found.len(),
            need,
            of: spread.drives(),
            missing: missing.join(", "),
        });
    }
    let mut names: Vec<Option<String>> = vec![None; spread.drives()];
    let (mut deployment, mut set) = (0, 0);
    let mut members = Vec::new();
    for (path, file, format) in found {
        let position = usize::from(format.position);
        if configured.get(position) != Some(&path) {
            tracing::warn!(
                drive = %path.display(),
                position,
                "the drive is not where it was configured before; it is used as what it is"
            );
        }
        if let Some(name) = names.get_mut(position) {
            *name = Some(path.display().to_string());
        }
        (deployment, set) = (format.deployment, format.set);
        members.push(Member {
            drive: wrap(LocalDrive::new(path.clone())),
            path,
            file,
            format,
        });
    }
    let mut vacant = vacant.into_iter();
    let names = names
        .into_iter()
        .map(|name| match name {
            Some(name) => name,
            None => vacant.next().unwrap_or_default().display().to_string(),
        })
        .collect();
    Ok(Drives {
        spread,
        set,
        deployment,
        members,
        names,
    })
}

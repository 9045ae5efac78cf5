//! Which drives hold the data, and how it is spread over them.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::read::{Invalid, Unique, Valid, Value};
use crate::report::{Diagnostic, Place};

pub(crate) const STORAGE_KEYS: &[&str] = &["data", "index", "sets"];
pub(crate) const SET_KEYS: &[&str] = &["drives", "data_shards", "parity_shards"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Where everything lies that is named with a relative path below.
    pub data: PathBuf,
    pub index: PathBuf,
    pub set: DriveSet,
    place: Place,
}

/// Drives that hold the shards of the same objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveSet {
    pub drives: Vec<PathBuf>,
    pub data_shards: u8,
    pub parity_shards: u8,
    /// Of each drive.
    places: Vec<Place>,
}

/// The drives of a set are counted in masks of so many bits.
const DRIVES_MAX: u64 = 32;

impl Storage {
    /// What keeps a gateway from starting: paths that cannot be used, and drives
    /// that are missing from a set that is about to be made. Where none is
    /// there, all of them are made.
    pub(crate) fn check_files(&self) -> Vec<Diagnostic> {
        let mut complaints = Vec::new();
        if !self.data.exists() && !parent_exists(&self.data) {
            let message = format!("the directory of {} does not exist", self.data.display());
            let help = "create it, or correct `storage.data`";
            complaints.push(self.place.complain(message, help));
        }
        let age = self.set.age();
        for (drive, place) in self.set.drives.iter().zip(&self.set.places) {
            let shown = drive.display();
            let below_data = drive.starts_with(&self.data);
            let complaint = if drive.is_dir() {
                None
            } else if drive.exists() {
                Some((format!("{shown} is not a directory"), "name a directory"))
            } else {
                match age {
                    Age::Used => None,
                    Age::Unused => Some((
                        format!(
                            "the drive {shown} is missing, and the others of its set are empty"
                        ),
                        "mount it, or create its directory: a new store is made on all of its drives",
                    )),
                    Age::Absent if !below_data && !parent_exists(drive) => Some((
                        format!("the directory of the drive {shown} does not exist"),
                        "mount the drive, or correct the path",
                    )),
                    Age::Absent => None,
                }
            };
            complaints.extend(complaint.map(|(message, help)| place.complain(message, help)));
        }
        complaints
    }

    /// Drives that a set in use has lost: a gateway may go on without them. An
    /// empty directory is what is left of a drive that is not mounted.
    pub(crate) fn missing_drives(&self) -> Vec<Diagnostic> {
        if self.set.age() != Age::Used {
            return Vec::new();
        }
        let drives = self.set.drives.iter().zip(&self.set.places);
        let lost = drives.filter_map(|(drive, place)| {
            let state = match drive.exists() {
                false => "missing",
                true if is_empty(drive) => "empty",
                true => return None,
            };
            let message = format!(
                "the drive {} is {state}, but others of its set are in use",
                drive.display()
            );
            let help = "mount it again; until then, what it holds is read from the other drives";
            Some(place.complain(message, help))
        });
        lost.collect()
    }
}

/// What the directories of a set tell about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// None of them is there.
    Absent,
    /// Some are there, and empty.
    Unused,
    Used,
}

impl DriveSet {
    fn age(&self) -> Age {
        let mut there = self.drives.iter().filter(|drive| drive.exists()).peekable();
        if there.peek().is_none() {
            Age::Absent
        } else if there.all(|drive| is_empty(drive)) {
            Age::Unused
        } else {
            Age::Used
        }
    }
}

/// Whether a directory has nothing in it but what a new file system brings.
fn is_empty(directory: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(directory) else {
        return false;
    };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "lost+found"))
}

fn parent_exists(path: &Path) -> bool {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => true,
        Some(parent) => parent.is_dir(),
        None => true,
    }
}

/// The path without `.` and `..`, so that one place has one name.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(tidy.components().next_back(), Some(Component::Normal(_))) =>
            {
                tidy.pop();
            }
            other => tidy.push(other),
        }
    }
    tidy
}

fn path_below(value: &Value<'_>, base: &Path) -> Valid<PathBuf> {
    match value.text()? {
        "" => Err(value.fail("the path is empty", "write a path")),
        text => Ok(tidy(&base.join(text))),
    }
}

pub(crate) fn storage(
    value: &Value<'_>,
    base: &Path,
    data: Option<&Path>,
    directories: &Directories,
) -> Valid<Storage> {
    let fields = value.fields(STORAGE_KEYS)?;
    let written = fields.or("data", tidy(&base.join("sluice-data")), |value| {
        path_below(value, base)
    });
    let data = match data {
        Some(data) => {
            written?;
            tidy(data)
        }
        // The paths below it are checked even where it is invalid itself.
        None => written.unwrap_or_default(),
    };
    let index = fields.or("index", data.join("index"), |value| {
        let index = path_below(value, &data)?;
        directories.claim(value, &index, "index")?;
        Ok(index)
    });
    let set = fields.required(
        "sets",
        "[{drives: [..], data_shards: 4, parity_shards: 2}]",
        |value| only_set(value, &data, directories),
    );
    Ok(Storage {
        index: index?,
        set: set?,
        place: fields.get("data").unwrap_or(value).place(),
        data,
    })
}

/// Directories of which none is another one, or inside of it.
#[derive(Default)]
pub(crate) struct Directories {
    unique: Unique,
    claimed: std::cell::RefCell<Vec<(PathBuf, String)>>,
}

impl Directories {
    /// A path below `base` for something that may not lie among the data.
    pub(crate) fn own_path(&self, value: &Value<'_>, base: &Path) -> Valid<PathBuf> {
        let path = path_below(value, base)?;
        self.set_apart(value, &path)?;
        Ok(path)
    }

    fn claim(&self, value: &Value<'_>, path: &Path, what: &str) -> Valid<()> {
        self.unique
            .claim(value, &path.display().to_string(), what)?;
        self.set_apart(value, path)
    }

    fn set_apart(&self, value: &Value<'_>, path: &Path) -> Valid<()> {
        let mut claimed = self.claimed.borrow_mut();
        for (other, at) in claimed.iter() {
            if other.starts_with(path) || path.starts_with(other) {
                let (path, other) = (path.display(), other.display());
                let message = format!("{path} and {other} (at `{at}`) lie inside of one another");
                return Err(value.fail(message, "give each its own directory"));
            }
        }
        claimed.push((path.to_owned(), value.path().to_owned()));
        Ok(())
    }
}

/// It is written as a list, of which there can be more in a later version.
fn only_set(value: &Value<'_>, data: &Path, directories: &Directories) -> Valid<DriveSet> {
    let mut first = None;
    value.filled_list("name the drives of the set", |value| {
        let set = set(value, data, directories);
        if first.is_some() {
            return Err(value.fail(
                "a gateway has one set of drives, and this is another one",
                "put all drives into one set",
            ));
        }
        first = Some(set?);
        Ok(())
    })?;
    first.ok_or(Invalid)
}

fn set(value: &Value<'_>, data: &Path, directories: &Directories) -> Valid<DriveSet> {
    let fields = value.fields(SET_KEYS)?;
    let drives = fields.required("drives", "[drive1, drive2, ..]", |value| {
        value.filled_list("name a directory for each drive", |value| {
            let path = path_below(value, data)?;
            directories.claim(value, &path, "drive")?;
            Ok((path, value.place()))
        })
    });
    let shards =
        |name, example| fields.required(name, example, |value| value.integer(1..=DRIVES_MAX));
    let data_shards = shards("data_shards", "4");
    let parity_shards = shards("parity_shards", "2");
    let (drives, data_shards, parity_shards) = (drives?, data_shards?, parity_shards?);
    let shards = data_shards + parity_shards;
    if shards > DRIVES_MAX {
        let message = format!("{data_shards} data and {parity_shards} parity shards are {shards}");
        let help = format!("together they are at most {DRIVES_MAX}");
        return Err(value.fail(message, help));
    }
    // Otherwise two halves of a set could each believe that they are the set.
    if parity_shards > data_shards {
        let message =
            format!("{parity_shards} parity shards are more than {data_shards} data shards");
        let help = "use as many parity shards as data shards, or fewer";
        return Err(fields
            .get("parity_shards")
            .unwrap_or(value)
            .fail(message, help));
    }
    if drives.len() as u64 != shards {
        let message = format!(
            "{data_shards} data and {parity_shards} parity shards need {shards} drives, but {} are named",
            drives.len()
        );
        let help = "change the list, or `data_shards` and `parity_shards`";
        return Err(fields.get("drives").unwrap_or(value).fail(message, help));
    }
    let narrow = |shards| u8::try_from(shards).expect("shards are at most 32");
    let (drives, places) = drives.into_iter().unzip();
    Ok(DriveSet {
        drives,
        data_shards: narrow(data_shards),
        parity_shards: narrow(parity_shards),
        places,
    })
}

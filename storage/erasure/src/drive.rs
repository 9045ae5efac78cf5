//! A drive: files that are read, written and made durable at offsets. Blocking;
//! only the threads of a [`crate::disk::Disk`] and the opening call it. Behind a
//! trait so that a drive that fails on purpose can take its place.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum FileId {
    Log(u32),
    Bulk(u32),
}

impl FileId {
    fn path(self, root: &Path) -> PathBuf {
        match self {
            Self::Log(segment) => root.join("log").join(format!("{segment:08}.seg")),
            Self::Bulk(segment) => root.join("bulk").join(format!("{segment:08}.seg")),
        }
    }
}

pub(crate) trait Drive: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer, or fails with `UnexpectedEof` or `NotFound`.
    fn read_at(&self, file: FileId, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Creates the file where it is not there.
    fn write_at(&self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything written to the file survives a loss of power.
    fn sync(&self, file: FileId) -> io::Result<()>;
    /// Begins to bring a part of a file to the drive, so that `sync` has less to do.
    fn start_writeback(&self, file: FileId, offset: u64, length: u64);
    /// 0 where there is no such file.
    fn length(&self, file: FileId) -> io::Result<u64>;
    /// The number of the last file of the log.
    fn last_log(&self) -> io::Result<Option<u32>>;
}

/// A directory.
#[derive(Debug)]
pub(crate) struct LocalDrive {
    root: PathBuf,
    files: Mutex<HashMap<FileId, Arc<File>>>,
}

impl LocalDrive {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn file(&self, id: FileId, create: bool) -> io::Result<Arc<File>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&id) {
            return Ok(file.clone());
        }
        let path = id.path(&self.root);
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = match options.open(&path) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                let file = options.create_new(true).open(&path)?;
                // What is written to a new file survives a crash only once its
                // name does.
                sync_dir(path.parent().unwrap_or(&self.root))?;
                file
            }
            opened => opened?,
        };
        let file = Arc::new(file);
        files.insert(id, file.clone());
        Ok(file)
    }
}

impl Drive for LocalDrive {
    fn read_at(&self, file: FileId, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file(file, false)?.read_exact_at(buffer, offset)
    }

    fn write_at(&self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(file, true)?.write_all_at(bytes, offset)
    }

    fn sync(&self, file: FileId) -> io::Result<()> {
        self.file(file, true)?.sync_data()
    }

    fn start_writeback(&self, file: FileId, offset: u64, length: u64) {
        #[cfg(target_os = "linux")]
        if let (Ok(file), Ok(offset), Ok(length)) =
            (self.file(file, false), offset.try_into(), length.try_into())
        {
            use std::os::fd::AsRawFd;
            // An error shows again at `sync`, where it counts.
            // SAFETY: the descriptor is open for as long as `file` lives, and
            // the call takes no pointers.
            let _ = unsafe {
                libc::sync_file_range(
                    file.as_raw_fd(),
                    offset,
                    length,
                    libc::SYNC_FILE_RANGE_WRITE,
                )
            };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (file, offset, length);
    }

    fn length(&self, file: FileId) -> io::Result<u64> {
        match self.file(file, false) {
            Ok(file) => Ok(file.metadata()?.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn last_log(&self) -> io::Result<Option<u32>> {
        let mut last = None;
        for entry in std::fs::read_dir(self.root.join("log"))? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
            let number = number.and_then(|number| number.parse().ok());
            last = last.max(number);
        }
        Ok(last)
    }
}

/// Makes the names in a directory survive a loss of power.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

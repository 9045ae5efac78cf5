//! `sluice bench`: what the gateway costs, beside what the machine allows.
//!
//! Every figure is printed with the floor that was measured for it in the same
//! run, because only their ratio means anything on another machine.

mod chain;
mod client;
mod floor;
mod native;
mod policies;
mod reload;
mod report;
mod s3;
mod storage;
mod throughput;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use chain::thread_time;
pub(crate) use report::Report;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Group {
    Chain,
    Storage,
    S3,
}

/// How long each figure is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) duration: Duration,
}

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A size of objects that is measured.
#[derive(Debug, Clone, Copy)]
struct Size {
    name: &'static str,
    bytes: usize,
}

const SIZES: [Size; 3] = [
    Size {
        name: "4k",
        bytes: 4 << 10,
    },
    Size {
        name: "1m",
        bytes: 1 << 20,
    },
    Size {
        name: "64m",
        bytes: 64 << 20,
    },
];

const CLIENTS: [usize; 2] = [1, 16];

/// Runs the groups one after the other in a folder that is removed afterwards.
pub(crate) async fn run(
    groups: &[Group],
    effort: Effort,
    folder: Option<PathBuf>,
) -> Result<Report, BoxError> {
    let folder = Scratch::new(folder)?;
    let mut report = Report::default();
    if groups.contains(&Group::Chain) {
        chain::measure(effort, &folder.0, &mut report)?;
        reload::measure(effort, &folder.0, &mut report).await?;
        throughput::measure(effort, &folder.0, &mut report).await?;
    }
    if groups.contains(&Group::Storage) || groups.contains(&Group::S3) {
        floor::disk(effort, &folder.0, &mut report)?;
    }
    if groups.contains(&Group::Storage) {
        storage::measure(effort, &folder.0, &mut report).await?;
    }
    if groups.contains(&Group::S3) {
        floor::hyper(effort, &mut report).await?;
        s3::measure(effort, &folder.0, &mut report).await?;
    }
    Ok(report)
}

/// A folder of our own, removed when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: Option<PathBuf>) -> std::io::Result<Self> {
        let parent = parent.unwrap_or_else(|| PathBuf::from("."));
        let folder = parent.join(format!("sluice-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the folder of the benchmark was left behind");
        }
    }
}

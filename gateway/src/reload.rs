//! A new configuration takes the place of the one in use, whole or not at all.
//!
//! It is read, checked and compiled on a thread of its own, beside the requests
//! that go on; requests that begin after the swap have it, those that have begun
//! keep what they began with. What cannot be used, or needs a restart, changes
//! nothing but the log.

mod changes;
mod stamps;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, iter, thread};

use config::{Config, Report};
use host::Host;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::gateway::Gateway;
use crate::generation::Generation;
use crate::policy::{self, Accounts};

pub(crate) use stamps::Stamps;

/// Those who may wait for a reload at the same time.
const WAITING_MAX: usize = 64;

/// How often the files are looked at.
const POLL: Duration = Duration::from_millis(500);

/// A file that was written to is read when it has not changed for so long.
const SETTLE: Duration = Duration::from_millis(300);

/// So many times at most, though: whatever is there then is read.
const SETTLE_ROUNDS_MAX: usize = 20;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Signal,
    /// Somebody at the private listener.
    Request,
    /// A file that changed.
    File,
}

/// A generation that took the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    pub generation: u64,
    /// One sentence for each part that differs from the generation before.
    pub changes: Vec<String>,
    pub took: Duration,
}

/// Why the generation in use stays.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    #[error("{0}")]
    Config(Arc<Report>),
    #[error("the gateway failed while it loaded this: {0}")]
    Panic(String),
    #[error("as many as may wait for a reload are waiting already")]
    Busy,
    #[error("the gateway is stopping")]
    Stopping,
}

pub type Outcome = Result<Arc<Reloaded>, Refused>;

/// Reloads, one at a time.
pub struct Reloader {
    shared: Arc<Shared>,
    requests: SyncSender<Waiting>,
}

struct Waiting {
    trigger: Trigger,
    answer: oneshot::Sender<Outcome>,
}

struct Shared {
    gateway: Arc<Gateway>,
    /// Knows the code that is in use, so that it is not compiled again.
    host: Arc<Host>,
    /// What listeners and drives were made from.
    started: Config,
    progress: Mutex<Progress>,
}

/// What has come of the reloads so far.
struct Progress {
    /// The files as they were just before they were last read.
    stamps: Stamps,
    last: Option<(Timestamp, Outcome)>,
    /// Generations that requests may still hold.
    before: Vec<Weak<Generation>>,
}

/// A generation that is not current any more, and not yet free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draining {
    pub(crate) generation: u64,
    pub(crate) requests: usize,
}

impl Reloader {
    pub(crate) fn start(
        gateway: Arc<Gateway>,
        host: Arc<Host>,
        started: Config,
        stamps: Stamps,
    ) -> io::Result<Arc<Self>> {
        metrics::gauge!("sluice_generation").set(1.0);
        let shared = Arc::new(Shared {
            gateway,
            host,
            started,
            progress: Mutex::new(Progress {
                stamps,
                last: None,
                before: Vec::new(),
            }),
        });
        let (requests, waiting) = sync_channel(WAITING_MAX);
        let worker = Arc::clone(&shared);
        thread::Builder::new()
            .name("reload".into())
            .spawn(move || worker.work(&waiting))?;
        Ok(Arc::new(Self { shared, requests }))
    }

    /// Asks for a reload, and returns at once. It reads everything after this
    /// call; those who ask while one is under way share the next.
    pub fn request(&self, trigger: Trigger) -> oneshot::Receiver<Outcome> {
        let (answer, outcome) = oneshot::channel();
        if let Err(refused) = self.requests.try_send(Waiting { trigger, answer }) {
            use std::sync::mpsc::TrySendError;
            let (waiting, why) = match refused {
                TrySendError::Full(waiting) => (waiting, Refused::Busy),
                TrySendError::Disconnected(waiting) => (waiting, Refused::Stopping),
            };
            // The other end is below.
            let _ = waiting.answer.send(Err(why));
        }
        outcome
    }

    /// Reloads, and waits for what comes of it.
    pub async fn reload(&self, trigger: Trigger) -> Outcome {
        let outcome = self.request(trigger).await;
        outcome.unwrap_or(Err(Refused::Stopping))
    }

    /// Reloads from now on whenever a file that has a part in it changes.
    pub fn watch(self: &Arc<Self>) -> io::Result<()> {
        let reloader = Arc::downgrade(self);
        thread::Builder::new().name("watch".into()).spawn(move || {
            while let Some(reloader) = reloader.upgrade() {
                reloader.look();
                drop(reloader);
                thread::sleep(POLL);
            }
        })?;
        Ok(())
    }

    /// Editors and compilers take their time to write a file, so it is read only
    /// when it has come to rest.
    fn look(&self) {
        let seen = self.shared.progress().stamps.clone();
        let mut now = seen.renewed();
        if now == seen {
            return;
        }
        for _ in 0..SETTLE_ROUNDS_MAX {
            thread::sleep(SETTLE);
            let before = std::mem::replace(&mut now, seen.renewed());
            if before == now {
                break;
            }
        }
        // Who reloads stamps the files anew; without an answer the gateway is gone.
        let _ = self.request(Trigger::File).blocking_recv();
    }

    pub(crate) fn generation(&self) -> Arc<Generation> {
        self.shared.gateway.generation()
    }

    pub(crate) fn last(&self) -> Option<(Timestamp, Outcome)> {
        self.shared.progress().last.clone()
    }

    pub(crate) fn draining(&self) -> Vec<Draining> {
        let mut progress = self.shared.progress();
        progress.forget_freed();
        let held = progress.before.iter().filter_map(Weak::upgrade);
        held.map(|generation| Draining {
            generation: generation.number,
            // One of them is ours.
            requests: Arc::strong_count(&generation).saturating_sub(1),
        })
        .collect()
    }
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader")
            .field("gateway", &self.shared.gateway)
            .finish_non_exhaustive()
    }
}

impl Progress {
    fn forget_freed(&mut self) {
        self.before
            .retain(|generation| generation.strong_count() > 0);
    }
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until nobody is left who could ask.
    fn work(&self, requests: &Receiver<Waiting>) {
        while let Ok(first) = requests.recv() {
            let trigger = first.trigger;
            let waiting: Vec<_> = iter::once(first).chain(requests.try_iter()).collect();
            let outcome = self.reload(trigger);
            for one in waiting {
                // Who asked by a signal does not wait.
                let _ = one.answer.send(outcome.clone());
            }
        }
    }

    fn reload(&self, trigger: Trigger) -> Outcome {
        let began = Instant::now();
        let loaded = catch_unwind(AssertUnwindSafe(|| self.load()));
        let outcome = match loaded {
            Ok(Ok(generation)) => Ok(Arc::new(self.swap(generation, began))),
            Ok(Err(report)) => Err(Refused::Config(Arc::new(report))),
            Err(panic) => Err(Refused::Panic(text_of(&*panic))),
        };
        let result = match &outcome {
            Ok(reloaded) => {
                let Reloaded {
                    generation,
                    changes,
                    took,
                } = &**reloaded;
                let millis = took.as_millis();
                tracing::info!(generation, ?trigger, millis, ?changes, "reloaded");
                "ok"
            }
            Err(refused) => {
                let generation = self.gateway.generation().number;
                tracing::error!(
                    ?trigger,
                    "the reload was refused, and generation {generation} goes on serving:\n{refused}"
                );
                "refused"
            }
        };
        metrics::counter!("sluice_reloads_total", "result" => result).increment(1);
        self.progress().last = Some((Timestamp::now(), outcome.clone()));
        outcome
    }

    /// Everything that can fail.
    fn load(&self) -> Result<Generation, Report> {
        let known = self.progress().stamps.renewed();
        let config = self.started.reread();
        // What is written to while it is read has changed since these.
        let stamps = match &config {
            Ok(config) => known.of_these(config.reloaded_files()),
            Err(_) => known,
        };
        self.progress().stamps = stamps;
        let config = config?;
        Report::of(config.restart_needed(&self.started))?;
        let accounts = Arc::new(Accounts::of(&config)?);
        let policy = policy::load(&self.host, &config, Arc::clone(&accounts) as _)?;
        let current = self.gateway.generation();
        Ok(Generation::new(
            current.number.saturating_add(1),
            config,
            policy,
            accounts,
            Arc::clone(&current.store),
        ))
    }

    fn swap(&self, generation: Generation, began: Instant) -> Reloaded {
        let generation = Arc::new(generation);
        let before = self.gateway.swap(Arc::clone(&generation));
        metrics::gauge!("sluice_generation").set(generation.number as f64);
        let changes = changes::between(&before, &generation);
        let mut progress = self.progress();
        progress.forget_freed();
        progress.before.push(Arc::downgrade(&before));
        Reloaded {
            generation: generation.number,
            changes,
            took: began.elapsed(),
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("for no reason that it could tell")
        .to_owned()
}

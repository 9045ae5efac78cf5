//! The requests of one connection that are not answered whole, and when one of
//! their answers last moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone)]
pub(crate) struct InFlight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    requests: AtomicUsize,
    /// Requests that ever began.
    begun: AtomicUsize,
    /// Requests whose response is on its way.
    responses: AtomicUsize,
    /// Milliseconds from `connected` to when a response last began or moved.
    moved: AtomicU64,
    connected: Instant,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            requests: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            responses: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            connected: Instant::now(),
        }))
    }

    pub(super) fn begin(&self) -> Begun {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Begun {
            connection: Arc::clone(&self.0),
            responding: false,
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0.requests.load(Ordering::Relaxed) > 0
    }

    /// How many requests ever began.
    pub(super) fn begun(&self) -> usize {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// When a response last moved, while there is one.
    pub(super) fn last_moved(&self) -> Option<Instant> {
        let moved = Duration::from_millis(self.0.moved.load(Ordering::Relaxed));
        (self.0.responses.load(Ordering::Relaxed) > 0).then(|| self.0.connected + moved)
    }
}

/// A request that has begun; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Begun {
    connection: Arc<Shared>,
    responding: bool,
}

impl Begun {
    /// From here on it is the client that the request waits for.
    pub(crate) fn respond(mut self) -> Self {
        self.responding = true;
        self.moved();
        self.connection.responses.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// The client took a piece of the response.
    pub(crate) fn moved(&self) {
        let elapsed = self.connection.connected.elapsed().as_millis();
        self.connection.moved.store(
            u64::try_from(elapsed).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.responding {
            self.connection.responses.fetch_sub(1, Ordering::Relaxed);
        }
        self.connection.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

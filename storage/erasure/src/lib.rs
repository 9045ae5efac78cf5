//! The erasure-coded store over the drives of one machine.
//!
//! Every change is a record in a log that all drives of a set keep, durable
//! before it is acknowledged; the index by key is derived from the log and can
//! be lost. Data is spread as k+m shards: any k restore it.
//!
//! Pure: `geometry`, `codec`, `layout`, `frame`, `record`, `seal`,
//! `change`. On the drives: `drive`, `disk`, `format`, `bulk`, `log`.
//! On the index: `index` (which alone knows fjall), `apply`, `order`,
//! `lookup`, `list`. The
//! life of a byte: `sink`, `patience`, `commit`, `read`; of a store: `open`,
//! `replay`, `engine`.

mod apply;
mod bulk;
mod change;
mod codec;
mod commit;
mod disk;
mod drive;
mod engine;
mod format;
mod frame;
mod geometry;
mod index;
mod keys;
mod layout;
mod list;
mod log;
mod lookup;
mod open;
mod order;
mod patience;
mod random;
mod read;
mod record;
mod replay;
mod seal;
mod set;
mod sink;
#[cfg(test)]
mod tests;
mod wire;

pub use engine::Engine;
pub use open::{OpenError, Options};

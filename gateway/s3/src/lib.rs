//! The wire of S3 without any I/O: what a request says, and how an answer is written.
//!
//! Nothing here awaits, opens a file or knows a plugin.

pub mod access;
pub mod checksum;
pub mod encode;
pub mod error;
pub mod head;
mod hex;
pub mod operation;
pub mod payload;
pub mod query;
pub mod sigv4;
pub mod target;
pub mod time;
pub mod xml;

pub use access::{Access, CopySource};
pub use checksum::Algorithm;
pub use error::{Code, Error};
pub use head::Head;
pub use operation::{Action, Operation};
pub use payload::Payload;
pub use query::Query;
pub use sigv4::StreamKey;
pub use target::Target;

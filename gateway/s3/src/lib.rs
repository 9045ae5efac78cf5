//! The wire of S3 without any I/O: what a request says, and how an answer is written.
//!
//! Nothing here awaits, opens a file or knows a plugin.

pub mod operation;

pub use operation::{Action, Operation};

//! The wire of S3 without any I/O: what a request says, and how an answer is written.
//!
//! Nothing here awaits, opens a file or knows a plugin.

pub mod access;
pub mod attributes;
pub mod checksum;
mod chunked;
pub mod conditional;
pub mod encode;
pub mod error;
pub mod form;
pub mod head;
pub mod listing;
pub mod metadata;
pub mod operation;
pub mod owner;
pub mod payload;
pub mod query;
pub mod range;
pub mod sigv2;
pub mod sigv4;
pub mod sub_resource;
pub mod target;
pub mod time;
pub mod unserved;
pub mod verifier;
pub mod xml;

pub use access::{Access, CopySource};
pub use attributes::Attributes;
pub use checksum::Algorithm;
pub use conditional::{Conditions, Outcome};
pub use error::{Code, Error};
pub use form::Form;
pub use head::Head;
pub use operation::{Action, Operation};
pub use owner::ExpectedOwners;
pub use payload::Payload;
pub use query::Query;
pub use range::ByteRange;
pub use sigv4::StreamKey;
pub use sub_resource::{Scope, SubResource, SubResourceError};
pub use target::Target;
pub use verifier::{Digests, Verifier};

//! The system from outside: a gateway on a loopback port, and the means to send
//! it anything at all, well-formed or not.
//!
//! Nothing here uses the gateway's own code for the wire: what it signs, frames
//! and reads is a second opinion.

mod connection;
mod encode;
mod form;
mod frame;
mod reply;
mod request;
mod server;
mod sign;
mod sign_v2;

pub use connection::Connection;
pub use encode::{checksum, crc32, encode, md5, md5_hex, sha256_hex};
pub use form::{Form, policy};
pub use frame::{Framing, Streamed};
pub use reply::Reply;
pub use request::Request;
pub use server::{Server, Settings};
pub use sign::{Key, NOBODY, OTHER, ROOT, Time};

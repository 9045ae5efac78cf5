//! **sluice**: an S3 gateway whose policy is programmable.
//!
//! This package is the only one that knows all others. [`serve`] puts a gateway
//! together from a configuration; a request then runs through `pipeline`.

mod bench;
mod body;
mod builtin;
mod decision;
mod error;
mod expiry;
mod explain;
mod gateway;
mod generation;
mod meters;
mod op;
mod outbound;
mod pipeline;
mod policy;
mod server;
mod stage;

pub mod cli;
pub mod credentials;
pub mod reload;
mod replay;
pub mod serve;

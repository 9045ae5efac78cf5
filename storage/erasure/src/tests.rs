//! The engine as a whole: it behaves like every other store, and goes on doing
//! so when drives, files and processes do not.

mod conformance;
mod crash;
mod drives;
mod faults;
mod geometries;
mod history;
pub(crate) mod support;
mod versions;

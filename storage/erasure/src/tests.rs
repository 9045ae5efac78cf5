//! The engine as a whole: it behaves like every other store, and goes on doing
//! so when drives, files and processes do not.

mod conformance;
mod crash;
mod drives;
//F
mod history;
mod support;

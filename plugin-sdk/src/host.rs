//! The calls across the boundary: inside the sandbox those of the contract,
//! elsewhere those of the test kit, under the same names.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::sluice::policy::{
    access, clock, counters, creation, directory, documents, http, identity, log, metering,
    placement, request, secrets,
};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::host::{
    access, clock, counters, creation, directory, documents, http, identity, log, metering,
    placement, request, secrets,
};

//! The committed components.

use plugins_build::{Manifest, workspace};

/// A component is part of the gateway, which hashes and compiles it at its start.
const BYTES_MAX: usize = 192 * 1024;

#[test]
fn the_components_were_built_from_the_sources_as_they_are() {
    if let Err(stale) = plugins_build::check() {
        panic!("{stale}");
    }
}

#[test]
fn the_components_are_small() {
    for (name, built) in Manifest::read(&workspace()).unwrap().plugins {
        assert!(built.bytes <= BYTES_MAX, "{name}: {} bytes", built.bytes);
    }
}

//! The suite that every backend passes. To be written.

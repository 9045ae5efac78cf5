//! How plugins become components that are not written in Rust: those in C from
//! their sources, others from the module that their compiler made.

pub mod c;

use wit_component::ComponentEncoder;

/// What went wrong and, where that helps, what to do.
pub type Result<T> = std::result::Result<T, String>;

/// Makes a component of a module that says which world it is of, as all that is
/// linked with generated bindings does.
pub fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("the module does not make a component: {error:#}"))
}

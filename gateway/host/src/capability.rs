//! What the host does for its plugins: one file per interface of the contract.

mod access;
mod clock;
pub(crate) mod counters;
mod creation;
mod directory;
pub(crate) mod documents;
pub(crate) mod http;
pub(crate) mod identity;
mod log;
mod metering;
mod placement;
mod request;
mod secrets;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings;
use crate::limits::{Grant, Grants};
use crate::state::State;

impl bindings::types::Host for State {}

/// Links what every plugin may call, and of the rest only what is granted.
pub(crate) fn link(linker: &mut Linker<State>, grants: &Grants) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;
    bindings::types::add_to_linker::<_, Own>(linker, |state| state)?;
    bindings::request::add_to_linker::<_, Own>(linker, |state| state)?;
    bindings::access::add_to_linker::<_, Own>(linker, |state| state)?;
    bindings::log::add_to_linker::<_, Own>(linker, |state| state)?;
    bindings::creation::add_to_linker::<_, Own>(linker, |state| state)?;
    for grant in grants {
        match grant {
            Grant::Documents => {
                bindings::documents::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Identity => {
                bindings::identity::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Directory => {
                bindings::directory::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Clock => bindings::clock::add_to_linker::<_, Own>(linker, |state| state)?,
            Grant::Counters => {
                bindings::counters::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Http => bindings::http::add_to_linker::<_, Own>(linker, |state| state)?,
            Grant::Secrets => {
                bindings::secrets::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Placement => {
                bindings::placement::add_to_linker::<_, Own>(linker, |state| state)?;
            }
            Grant::Metering => {
                bindings::metering::add_to_linker::<_, Own>(linker, |state| state)?;
            }
        }
    }
    Ok(())
}

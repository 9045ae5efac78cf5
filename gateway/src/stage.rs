//! The stages of a request, one file each, in the order in which they run.

mod audit;
mod authenticate;
mod authorize;
mod creation;
mod form;
mod load;
mod prepare;
mod respond;
mod route;
mod serve;

pub(crate) use audit::Audit;
pub(crate) use authenticate::{Authenticated, authenticate};
pub(crate) use authorize::{Authorized, authorize};
pub(crate) use creation::creation;
pub(crate) use form::read_form;
pub(crate) use load::{Loaded, existing, glimpse, load, scene};
pub(crate) use prepare::{Cleared, own_id, prepare};
pub(crate) use respond::{Reply, refuse_unread, respond};
pub(crate) use route::{Routed, route};
pub(crate) use serve::serve;

//! authenticate: plugins say on whose behalf the request is made.

use std::sync::Arc;

use host::{Principal, Run};
use s3::{Head, StreamKey};
use storage::Timestamp;

use crate::error::Result;
use crate::stage::Routed;

/// A request with a principal, be it the anonymous one.
pub(crate) struct Authenticated {
    pub(super) head: Arc<Head>,
    /// The client came over TLS.
    pub(super) secure: bool,
    pub(super) principal: Principal,
    /// Verifies the chunks of a body that continue the request's signature.
    pub(super) stream_key: Option<StreamKey>,
}

pub(crate) fn authenticate(routed: Routed, run: &mut Run) -> Result<Authenticated> {
    let identity = run.authenticate()?;
    let facts = routed.into_facts();
    // Whoever signed a form signed its policy: the two are one proof.
    if let Some(form) = &facts.head.form {
        form.check(&facts.head.target, Timestamp::now())?;
    }
    Ok(Authenticated {
        head: Arc::clone(&facts.head),
        secure: facts.secure,
        principal: identity.principal,
        stream_key: identity.stream_key,
    })
}

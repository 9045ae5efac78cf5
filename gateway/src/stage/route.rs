//! route: a request becomes one operation on one target.

use std::sync::Arc;

use host::{Chain, Facts};
use http::request::Parts;
use s3::Head;

use crate::error::Result;
use crate::pipeline::Peer;
use crate::stage::Audit;

/// A request whose operation and target are known.
pub(crate) struct Routed {
    pub(super) facts: Arc<Facts>,
}

/// Reads the head; the plugins of the chain have sub-resources of their own.
pub(crate) fn route(
    parts: &Parts,
    peer: &Peer,
    chain: &Chain,
    audit: &mut Audit,
) -> Result<Routed> {
    let head = Head::parse(parts, &peer.domains, chain.sub_resources())?;
    audit.routed(head.operation);
    let facts = Facts {
        head: Arc::new(head),
        source: peer.address.ip(),
        secure: peer.secure,
        request_id: audit.request_id().to_owned(),
    };
    Ok(Routed {
        facts: Arc::new(facts),
    })
}

impl Routed {
    pub(crate) fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.facts)
    }

    pub(super) fn into_facts(self) -> Arc<Facts> {
        self.facts
    }
}

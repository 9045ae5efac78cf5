//! One request, from its head to its answer.
//!
//! Each stage takes the proof of the one before it by value and returns its
//! own, and only a stage can make its proof. So there is no way to [`serve`]
//! what was not cleared, or to clear what was not authorized.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use host::Run;
use http::{Request, Response};
use hyper::body::Incoming;
use s3::Code;

use crate::body::{ReplyBody, RequestBody};
use crate::decision::{Recorder, Scene};
use crate::error::Result;
use crate::gateway::Gateway;
use crate::generation::Generation;
use crate::stage::{self, Audit, Reply, Routed};

/// The client's end of a connection, and what its listener grants it.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) secure: bool,
    /// The domains below which a host name is a bucket.
    pub(crate) domains: Arc<[String]>,
    pub(crate) body_timeout: Duration,
    /// Above the limit of connections: it is told so, and no more.
    pub(crate) overloaded: bool,
}

/// What accompanies a request through all stages, also when one of them fails.
pub(crate) struct Exchange {
    pub(crate) run: Run,
    pub(crate) body: RequestBody,
    /// What it is decided on with, once that is read.
    pub(crate) scene: Option<Scene>,
}

pub(crate) async fn handle(
    gateway: &Gateway,
    request: Request<Incoming>,
    peer: &Peer,
) -> Response<ReplyBody> {
    let mut audit = Audit::begin(&request, peer);
    if peer.overloaded {
        return audit.refused(Code::SlowDown.into());
    }
    let (parts, incoming) = request.into_parts();
    let mut body = RequestBody::new(incoming, &parts, peer.body_timeout, &gateway.buffers);
    // The one that is current now is this request's to its end.
    let generation = gateway.generation();
    match stage::route(&parts, peer, &generation.chain, &mut audit) {
        Ok(routed) => {
            let (routed, read) = stage::read_form(routed, &mut body).await;
            let facts = routed.facts();
            let run = generation.chain.begin(Arc::clone(&facts));
            let mut exchange = Exchange {
                run,
                body,
                scene: None,
            };
            let outcome = match read {
                Ok(()) => answer(&generation, routed, &mut exchange).await,
                Err(error) => Err(error),
            };
            if exchange.scene.is_none()
                && let Some(target) = stage::glimpse(&facts.head, &*generation.store).await
            {
                exchange.run.address(&target);
            }
            let outcome = outcome.map_err(|error| error.about(&facts.head));
            let recorder = Recorder {
                journal: &gateway.journal,
                generation: &generation,
                domains: &peer.domains,
            };
            stage::respond(outcome, exchange, audit, recorder).await
        }
        Err(error) => {
            body.drain().await;
            body.settle(audit.refused(error))
        }
    }
}

async fn answer(generation: &Generation, routed: Routed, exchange: &mut Exchange) -> Result<Reply> {
    let authenticated = stage::authenticate(routed, &mut exchange.run)?;
    let loaded = stage::load(authenticated, &generation.chain, &*generation.store).await?;
    let scene = loaded.scene();
    exchange.run.address(&scene.target);
    exchange.scene = Some(scene);
    let authorized = stage::authorize(loaded, &mut exchange.run)?;
    let cleared = stage::prepare(authorized, exchange).await?;
    stage::serve(cleared, exchange, generation).await
}

//! form: what PostObject asks for is in the fields of its body.
//!
//! They are read before anybody is asked who made the request, because they say
//! that, too. So they are bounded, in length and in time, and the file that
//! follows them is left unread.

use std::sync::Arc;

use host::Facts;
use s3::{Head, Operation};

use crate::body::RequestBody;
use crate::error::Result;
use crate::stage::Routed;

/// Where a form is refused, the request remains what its head alone says: its
/// answer is given in the name of the same bucket.
pub(crate) async fn read_form(routed: Routed, body: &mut RequestBody) -> (Routed, Result<()>) {
    if routed.facts.head.operation != Operation::PostObject {
        return (routed, Ok(()));
    }
    match head(&routed.facts.head, body).await {
        Ok(head) => {
            let facts = Facts {
                head: Arc::new(head),
                source: routed.facts.source,
                secure: routed.facts.secure,
                request_id: routed.facts.request_id.clone(),
            };
            let facts = Arc::new(facts);
            (Routed { facts }, Ok(()))
        }
        Err(error) => (routed, Err(error)),
    }
}

async fn head(head: &Head, body: &mut RequestBody) -> Result<Head> {
    let form = body.read_form(head).await?;
    Ok(head.clone().with_form(form)?)
}

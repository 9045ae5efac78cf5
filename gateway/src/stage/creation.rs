//! creation: what a client says of the bucket that it wants. It is in the body of
//! CreateBucket, of which plugins are told before they plan the bucket.

use host::{Chain, Changes, Creation};
use s3::{Code, Operation, Payload};

use crate::body::Share;
use crate::error::Result;
use crate::op::create_bucket;
use crate::pipeline::Exchange;
use crate::stage::{Loaded, own_id};

/// A configuration has one element or two.
const BODY_LEN_MAX: usize = 64 * 1024;

/// Waits for the body, unless the head alone is reason enough to refuse it.
pub(super) async fn read(loaded: &Loaded, exchange: &mut Exchange) -> Result<Creation> {
    let authenticated = &loaded.authenticated;
    let head = &authenticated.head;
    if let Some(bucket) = &loaded.scene.target.bucket {
        let caller = own_id(&authenticated.principal);
        return Err(create_bucket::taken(&bucket.owner, caller));
    }
    let chain = exchange.run.chain();
    s3::unserved::check(head, |operation| chain.serves(operation))?;
    let payload = Payload::of(head)?;
    // A client that is slow must not keep instances from others.
    exchange.run.rest();
    let body = exchange
        .body
        .collect(
            &payload,
            authenticated.stream_key.clone(),
            Share::of(&authenticated.principal, head.operation),
            BODY_LEN_MAX,
        )
        .await?;
    creation(&body, exchange.run.chain())
}

/// What a body says of the bucket.
pub(crate) fn creation(body: &[u8], chain: &Chain) -> Result<Creation> {
    let configuration = s3::xml::parse_create_bucket_configuration(body)?;
    // They are kept by whoever serves them.
    if !chain.serves(Operation::PutBucketTagging) {
        s3::unserved::check_bucket(&configuration)?;
    }
    Ok(Creation {
        location_constraint: configuration.location_constraint,
        tags: configuration.tags,
        acl: None,
    })
}

/// Fails where a plugin planned what no plugin is there to keep: a bucket is made
/// as it is meant to be, or not at all.
pub(super) fn is_kept(changes: &Changes, chain: &Chain) -> Result<()> {
    let Some(plan) = &changes.plan else {
        return Ok(());
    };
    let lost = |what: &str| {
        let why = format!("Buckets of this kind come with {what}, which nothing keeps here.");
        Err(s3::Error::new(Code::InvalidBucketState).because(why).into())
    };
    if !plan.tags.is_empty() && !chain.serves(Operation::PutBucketTagging) {
        return lost("tags");
    }
    if plan.acl.is_some() && !chain.serves(Operation::PutBucketAcl) {
        return lost("an access control list");
    }
    Ok(())
}

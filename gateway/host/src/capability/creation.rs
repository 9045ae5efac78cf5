//! `creation`: the bucket that CreateBucket is about to make.

use s3::Operation;

use crate::bindings::creation as contract;
use crate::state::{Phase, State};

impl contract::Host for State {
    fn bucket(&mut self) -> wasmtime::Result<Option<contract::NewBucket>> {
        let call = self.call()?;
        let operation = call.facts.head.operation;
        if (call.phase, operation) != (Phase::Prepare, Operation::CreateBucket) {
            return Ok(None);
        }
        let creation = call.creation.clone().unwrap_or_default();
        let plan = call.overlay.plan.as_ref().map(|planned| &planned.plan);
        let planned = plan.and_then(|plan| plan.acl.as_ref());
        Ok(Some(contract::NewBucket {
            location_constraint: creation.location_constraint.clone(),
            tags: creation.tags_with(plan),
            acl: planned.or(creation.acl.as_ref()).cloned(),
        }))
    }
}

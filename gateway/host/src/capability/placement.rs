//! `placement`: how a bucket is made, and whose it is what a request creates.

use s3::Operation;

use crate::bindings::placement as contract;
use crate::creation::{Ownership, Plan, Planned};
use crate::failure::Failure;
use crate::state::{Call, Phase, State};

impl From<contract::Plan> for Plan {
    fn from(plan: contract::Plan) -> Self {
        let contract::Plan {
            template,
            location,
            geometry,
            versioning,
            quota,
            acl,
            tags,
        } = plan;
        Self {
            template,
            location,
            geometry,
            versioning,
            quota,
            acl,
            tags,
        }
    }
}

/// Whether what an operation creates belongs to somebody: an object, or the upload
/// that becomes one.
fn creates_for_an_owner(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::PutObject
            | Operation::PostObject
            | Operation::CopyObject
            | Operation::CreateMultipartUpload
    )
}

impl State {
    /// The call, where it is one that may say what becomes of what is created.
    fn creating(
        &mut self,
        creates: impl Fn(Operation) -> bool,
        otherwise: &'static str,
    ) -> Result<&mut Call, Failure> {
        let call = self.call()?;
        if call.phase != Phase::Prepare {
            let reason = "what is created is spoken of only in `prepare`";
            return Err(Failure::invalid(reason));
        }
        match creates(call.facts.head.operation) {
            true => Ok(call),
            false => Err(Failure::invalid(otherwise)),
        }
    }
}

impl contract::Host for State {
    fn plan_bucket(&mut self, plan: contract::Plan) -> wasmtime::Result<Result<(), String>> {
        let plan = Plan::from(plan);
        self.spend_output(plan.len())?;
        let by = self.profile.name.clone();
        let call = self.creating(
            |operation| operation == Operation::CreateBucket,
            "only the bucket of CreateBucket is planned",
        )?;
        if let Some(other) = &call.overlay.plan
            && other.by != by
        {
            return Ok(Err(format!(
                "the bucket is planned by `{}` already",
                other.by
            )));
        }
        let creation = call.creation.clone().unwrap_or_default();
        let checked = plan.check(&creation);
        if checked.is_ok() {
            call.overlay.plan = Some(Planned { by, plan });
        }
        Ok(checked)
    }

    fn give_to_bucket_owner(&mut self) -> wasmtime::Result<()> {
        let call = self.creating(
            creates_for_an_owner,
            "the operation creates nothing that belongs to anybody",
        )?;
        call.overlay.ownership = Ownership::BucketOwner;
        Ok(())
    }
}

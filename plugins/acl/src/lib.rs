//! Access control lists: who may do what, as the owner of a bucket or an object
//! says. Without a list the owner may do everything, and nobody else anything.
//!
//! The plugin allows what a list grants and abstains from the rest, so that
//! further plugins can grant more, and what nobody grants is denied.

mod acl;
mod rights;
mod said;
mod xml;

use sluice_plugin::prelude::*;

use acl::Acl;
use said::Said;

/// Authorizes by access control lists, and serves `?acl`.
#[derive(Debug)]
pub struct AclPlugin;

/// The document that a list is kept in, with a bucket or an object version.
const DOCUMENT: &str = "acl";

export!(AclPlugin);

impl Plugin for AclPlugin {
    fn manifest() -> Manifest {
        let attaching = [
            Operation::CreateBucket,
            Operation::PutObject,
            Operation::CopyObject,
            Operation::CreateMultipartUpload,
        ];
        Manifest::new("acl", env!("CARGO_PKG_VERSION"))
            .on(Phase::Authorize, [])
            .interest(
                Interest::in_phase(Phase::Prepare)
                    .operations(attaching)
                    .headers(["x-amz-acl", "x-amz-grant-*"]),
            )
            .claims([
                Operation::GetBucketAcl,
                Operation::PutBucketAcl,
                Operation::GetObjectAcl,
                Operation::PutObjectAcl,
            ])
    }

    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        settings.none().map(|()| Self)
    }

    fn authorize(&self, request: &Request, access: &Access) -> Vote {
        if rights::allow(request, access) {
            Vote::Allow
        } else {
            Vote::Abstain
        }
    }

    fn prepare(&self, request: &Request, _access: &Access) -> Result<(), Denial> {
        let scope = match request.operation() {
            Operation::CreateBucket => Scope::Bucket,
            _ => Scope::Object,
        };
        match Said::in_headers(request)? {
            Some(said) => {
                attach(scope, &said.acl(scope)?);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn serve(&self, request: &Request, access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetBucketAcl => show(Scope::Bucket, access),
            Operation::GetObjectAcl => show(Scope::Object, access),
            Operation::PutBucketAcl => change(Scope::Bucket, request, access),
            Operation::PutObjectAcl => change(Scope::Object, request, access),
            _ => Err(deny(NotImplemented)),
        }
    }
}

fn show(scope: Scope, access: &Access) -> Result<Reply, Denial> {
    let owner = owner(scope, access)?;
    let acl = match documents::get(scope, DOCUMENT) {
        None => Acl::private(),
        Some(document) => Acl::decode(&document).ok_or_else(|| {
            error!("a document of a {scope:?} is not an access control list");
            Denial::custom("InternalError", 500)
        })?,
    };
    let bucket_owner = access.bucket_owner();
    Ok(Reply::xml(xml::write(
        &acl,
        &owner,
        bucket_owner.as_deref(),
    )))
}

fn change(scope: Scope, request: &Request, access: &Access) -> Result<Reply, Denial> {
    let owner = owner(scope, access)?;
    let body = request.body()?;
    let acl = match (Said::in_headers(request)?, body.is_empty()) {
        (Some(said), true) => said.acl(scope)?,
        (Some(_), false) => {
            return Err(deny(InvalidRequest)
                .because("An ACL is given either in headers or in the body, not in both"));
        }
        (None, false) => xml::read(&body, &owner)?,
        (None, true) => {
            return Err(deny(MissingSecurityHeader).with("MissingHeaderName", "x-amz-acl"));
        }
    };
    attach(scope, &acl);
    Ok(Reply::new(200))
}

/// The absence of a document says what a private list says.
fn attach(scope: Scope, acl: &Acl) {
    if acl.is_private() {
        documents::delete(scope, DOCUMENT);
    } else {
        documents::put(scope, DOCUMENT, acl.encode().as_bytes());
    }
}

fn owner(scope: Scope, access: &Access) -> Result<String, Denial> {
    match scope {
        Scope::Bucket => access.bucket_owner().ok_or_else(|| deny(NoSuchBucket)),
        Scope::Object => access.object_owner().ok_or_else(|| deny(NoSuchKey)),
        // What a copy reads has a list of its own, which nobody asks for here.
        Scope::Source => Err(deny(InvalidRequest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_plugin::testing;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        testing::cases::check_native::<AclPlugin>(&folder);
    }

    #[test]
    fn there_are_no_settings() {
        assert!(AclPlugin::configure(Settings::from_json("{}")).is_ok());
        assert!(AclPlugin::configure(Settings::from_json(r#"{"a": 1}"#)).is_err());
    }
}

//! Access control lists: who may do what, as the owner of a bucket or an object
//! says. Without a list the owner may do everything, and nobody else anything.
//! With them comes who owns an object: who writes it, or the owner of the bucket.
//!
//! The plugin allows what a list grants and abstains from the rest, so that
//! further plugins can grant more, and what nobody grants is denied.

mod acl;
mod dialect;
mod ownership;
mod rights;
mod said;
mod xml;

use sluice_plugin::prelude::*;

use acl::Acl;
use dialect::{Canned, Dialect, Profile, Subject};
use ownership::Ownership;
use said::Said;

/// Authorizes by access control lists, and serves `?acl` and `?ownershipControls`.
#[derive(Debug, Settings)]
pub struct AclPlugin {
    /// What the permissions of a list mean, and which lists can be given.
    #[setting(default = "aws")]
    profile: Profile,
    /// Whether READ_ACL and WRITE_ACL are other names for READ_ACP and WRITE_ACP. If
    /// left out, they are unless the profile is `aws`.
    accept_alias: Option<bool>,
    /// What a new bucket is given where the client does not say.
    #[setting(default = "ObjectWriter")]
    object_ownership: Ownership,
}

/// The document that a list is kept in, with a bucket or an object version.
const DOCUMENT: &str = "acl";

export!(AclPlugin);

impl Plugin for AclPlugin {
    fn manifest() -> Manifest {
        let attaching = [
            Operation::PutObject,
            Operation::PostObject,
            Operation::CopyObject,
            Operation::CreateMultipartUpload,
        ];
        Manifest::new("acl", env!("CARGO_PKG_VERSION"))
            .on(Phase::Authorize, [])
            .on(Phase::Prepare, [Operation::CreateBucket])
            .interest(
                Interest::in_phase(Phase::Prepare)
                    .operations(attaching)
                    .headers([said::CANNED, "x-amz-grant-*"]),
            )
            .interest(
                Interest::in_phase(Phase::Prepare)
                    .operations(attaching)
                    .documents([ownership::DOCUMENT]),
            )
            .claims([
                Operation::GetBucketAcl,
                Operation::PutBucketAcl,
                Operation::GetObjectAcl,
                Operation::PutObjectAcl,
                Operation::GetBucketOwnershipControls,
                Operation::PutBucketOwnershipControls,
                Operation::DeleteBucketOwnershipControls,
            ])
            .settings::<Self>()
    }

    fn configure(settings: Settings<'_>) -> Result<Self, String> {
        settings.read()
    }

    fn authorize(&self, request: &Request, access: &Access) -> Vote {
        if rights::allow(self.profile, request, access) {
            Vote::Allow
        } else {
            Vote::Abstain
        }
    }

    fn prepare(&self, request: &Request, access: &Access) -> Result<(), Denial> {
        match request.operation() {
            Operation::CreateBucket => self.create_bucket(request),
            _ => self.write_object(request, access),
        }
    }

    fn serve(&self, request: &Request, access: &Access) -> Result<Reply, Denial> {
        match request.operation() {
            Operation::GetBucketAcl => show(Scope::Bucket, access),
            Operation::GetObjectAcl => show(Scope::Object, access),
            Operation::PutBucketAcl => self.change(Scope::Bucket, request, access),
            Operation::PutObjectAcl => self.change(Scope::Object, request, access),
            Operation::GetBucketOwnershipControls => match Ownership::said() {
                Some(ownership) => Ok(Reply::xml(ownership.write())),
                None => Err(deny(OwnershipControlsNotFoundError)),
            },
            Operation::PutBucketOwnershipControls => control_ownership(request, access),
            Operation::DeleteBucketOwnershipControls => {
                documents::delete(Scope::Bucket, ownership::DOCUMENT);
                Ok(Reply::new(204))
            }
            _ => Err(deny(NotImplemented)),
        }
    }
}

impl AclPlugin {
    fn dialect(&self) -> Dialect {
        Dialect {
            profile: self.profile,
            aliases: self.accept_alias.unwrap_or(self.profile != Profile::Aws),
        }
    }

    /// A list of the client comes before the one that the bucket is planned with,
    /// which yields to an ownership under which lists mean nothing.
    fn create_bucket(&self, request: &Request) -> Result<(), Denial> {
        let principal = request.principal();
        let subject = Subject {
            scope: Scope::Bucket,
            owner: principal.id(),
            requester: principal.id(),
        };
        let said = Said::in_headers(request, self.dialect())?;
        let said = said.map(|said| said.acl(self.profile, subject));
        let asked = Ownership::asked(request)?;
        let ownership = asked.unwrap_or(self.object_ownership);
        let acl = match (ownership, said.transpose()?) {
            (Ownership::BucketOwnerEnforced, Some(acl)) if !acl.is_of_alone(subject.owner) => {
                return Err(deny(InvalidBucketAclWithObjectOwnership));
            }
            (_, Some(acl)) => Some(acl),
            (Ownership::BucketOwnerEnforced, None) => None,
            (_, None) => self.planned(subject)?,
        };
        if asked.is_some() || ownership != Ownership::ObjectWriter {
            ownership.keep();
        }
        if let Some(acl) = acl {
            attach(Scope::Bucket, &acl);
        }
        Ok(())
    }

    fn planned(&self, subject: Subject<'_>) -> Result<Option<Acl>, Denial> {
        let Some(name) = creation::bucket().and_then(|bucket| bucket.acl) else {
            return Ok(None);
        };
        let acl = Canned::parse(&name)
            .and_then(|canned| self.profile.spell_out(canned, subject))
            .ok_or_else(|| {
                error!("the bucket is planned with the list `{name}`, which is none of a bucket");
                let message = format!("No bucket is made with the list {name} here");
                deny(InvalidBucketState).because::<Denial>(message)
            })?;
        Ok(Some(acl))
    }

    fn write_object(&self, request: &Request, access: &Access) -> Result<(), Denial> {
        let said = Said::in_headers(request, self.dialect())?;
        let principal = request.principal();
        let subject = Subject {
            scope: Scope::Object,
            owner: principal.id(),
            requester: principal.id(),
        };
        match (Ownership::in_force(), said) {
            (Ownership::BucketOwnerEnforced, said) => {
                // Lists that ask for what is the case anyway are let pass.
                if let Some(said) = said {
                    let acl = said.acl(Profile::Aws, subject)?;
                    if !acl.is_of_alone(access.bucket_owner().as_deref()) {
                        return Err(deny(AccessControlListNotSupported));
                    }
                }
                placement::give_to_bucket_owner();
            }
            (
                Ownership::BucketOwnerPreferred,
                Some(Said::Canned(Canned::BucketOwnerFullControl)),
            ) => placement::give_to_bucket_owner(),
            (Ownership::BucketOwnerPreferred | Ownership::ObjectWriter, Some(said)) => {
                attach(Scope::Object, &said.acl(self.profile, subject)?);
            }
            (Ownership::BucketOwnerPreferred | Ownership::ObjectWriter, None) => {}
        }
        Ok(())
    }

    fn change(&self, scope: Scope, request: &Request, access: &Access) -> Result<Reply, Denial> {
        let owner = owner(scope, access)?;
        if Ownership::in_force() == Ownership::BucketOwnerEnforced {
            return Err(deny(AccessControlListNotSupported));
        }
        let body = request.body()?;
        let acl = match (Said::in_headers(request, self.dialect())?, body.is_empty()) {
            (Some(said), true) => {
                let principal = request.principal();
                let subject = Subject {
                    scope,
                    owner: Some(&owner),
                    requester: principal.id(),
                };
                said.acl(self.profile, subject)?
            }
            (Some(_), false) => {
                return Err(deny(InvalidRequest)
                    .because("An ACL is given either in headers or in the body, not in both"));
            }
            (None, false) => {
                let grants = xml::read(&body, &owner, self.dialect())?;
                self.profile.admit(grants, scope)?
            }
            (None, true) => {
                return Err(deny(MissingSecurityHeader).with("MissingHeaderName", said::CANNED));
            }
        };
        attach(scope, &acl);
        Ok(Reply::new(200))
    }
}

fn show(scope: Scope, access: &Access) -> Result<Reply, Denial> {
    let bucket_owner = access.bucket_owner();
    let (owner, acl) = match Ownership::in_force() {
        Ownership::BucketOwnerEnforced => (owner(Scope::Bucket, access)?, Acl::private()),
        _ => (owner(scope, access)?, kept(scope)?),
    };
    Ok(Reply::xml(xml::write(
        &acl,
        &owner,
        bucket_owner.as_deref(),
    )))
}

fn control_ownership(request: &Request, access: &Access) -> Result<Reply, Denial> {
    let ownership = Ownership::read(&request.body()?)?;
    // What a list grants now would otherwise be taken away in silence.
    if ownership == Ownership::BucketOwnerEnforced
        && !kept(Scope::Bucket)?.is_of_alone(access.bucket_owner().as_deref())
    {
        return Err(deny(InvalidBucketAclWithObjectOwnership));
    }
    ownership.keep();
    Ok(Reply::new(200))
}

/// The list of what is there.
fn kept(scope: Scope) -> Result<Acl, Denial> {
    let Some(document) = documents::get(scope, DOCUMENT) else {
        return Ok(Acl::private());
    };
    Acl::decode(&document).ok_or_else(|| {
        error!("a document of a {scope:?} is not an access control list");
        internal_error()
    })
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
        Scope::Bucket | Scope::SourceBucket => {
            access.bucket_owner().ok_or_else(|| deny(NoSuchBucket))
        }
        Scope::Object | Scope::Source => access.object_owner().ok_or_else(|| deny(NoSuchKey)),
    }
}

fn internal_error() -> Denial {
    Denial::custom("InternalError", 500)
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
    fn settings_choose_the_dialect_and_the_ownership_of_new_buckets() {
        let check = |settings: &str, expected: Result<(Profile, bool, Ownership), &str>| {
            let plugin = AclPlugin::configure(Settings::from_json(settings));
            let read = plugin.as_ref().map(|plugin| {
                let dialect = plugin.dialect();
                (dialect.profile, dialect.aliases, plugin.object_ownership)
            });
            assert_eq!(read.map_err(String::as_str), expected, "{settings}");
        };
        let writer = Ownership::ObjectWriter;
        check("", Ok((Profile::Aws, false, writer)));
        check("{}", Ok((Profile::Aws, false, writer)));
        check(
            r#"{"profile": "aws", "accept_alias": true}"#,
            Ok((Profile::Aws, true, writer)),
        );
        check(
            r#"{"profile": "dsnet"}"#,
            Ok((Profile::Dsnet, true, writer)),
        );
        check(
            r#"{"profile": "list-only", "accept_alias": false}"#,
            Ok((Profile::ListOnly, false, writer)),
        );
        check(
            r#"{"object_ownership": "BucketOwnerEnforced"}"#,
            Ok((Profile::Aws, false, Ownership::BucketOwnerEnforced)),
        );
        assert!(AclPlugin::configure(Settings::from_json(r#"{"profile": "s3"}"#)).is_err());
        assert!(AclPlugin::configure(Settings::from_json(r#"{"a": 1}"#)).is_err());
    }
}

//! A list as headers say it: by one name, or grant by grant.

use sluice_plugin::prelude::*;

use crate::acl::{Acl, GRANTS_MAX, Grant, Grantee, Permission};

pub(crate) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub(crate) const AUTHENTICATED_USERS: &str =
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
pub(crate) const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

const GRANT_HEADERS: [(&str, Permission); 5] = [
    ("x-amz-grant-full-control", Permission::FullControl),
    ("x-amz-grant-read", Permission::Read),
    ("x-amz-grant-read-acp", Permission::ReadAcp),
    ("x-amz-grant-write", Permission::Write),
    ("x-amz-grant-write-acp", Permission::WriteAcp),
];

/// What the headers say.
#[derive(Debug)]
pub(crate) enum Said {
    Canned(String),
    Grants(Vec<Grant>),
}

impl Said {
    /// What the headers of a request say, if they say anything.
    pub(crate) fn in_headers(request: &Request) -> Result<Option<Self>, Denial> {
        let canned = request.header("x-amz-acl");
        let mut grants = Vec::new();
        let mut granting = false;
        for (name, permission) in GRANT_HEADERS {
            if let Some(value) = request.header(name) {
                granting = true;
                read_grants(name, &value, permission, &mut grants)?;
            }
        }
        match (canned, granting) {
            (Some(_), true) => Err(deny(InvalidRequest)
                .because("Specifying both Canned ACLs and Header Grants is not allowed")),
            (Some(name), false) => Ok(Some(Self::Canned(name))),
            (None, true) => Ok(Some(Self::Grants(grants))),
            (None, false) => Ok(None),
        }
    }

    /// The list that is meant, for what is to have it.
    pub(crate) fn acl(self, scope: Scope) -> Result<Acl, Denial> {
        match self {
            Self::Canned(name) => canned(&name, scope)
                .ok_or_else(|| deny(InvalidArgument).argument("x-amz-acl", &name)),
            Self::Grants(grants) => Ok(Acl { grants }),
        }
    }
}

fn canned(name: &str, scope: Scope) -> Option<Acl> {
    let acl = Acl::private();
    Some(match (name, scope) {
        ("private", _) => acl,
        ("public-read", _) => acl.with(Grantee::Everyone, Permission::Read),
        ("public-read-write", _) => acl
            .with(Grantee::Everyone, Permission::Read)
            .with(Grantee::Everyone, Permission::Write),
        ("authenticated-read", _) => acl.with(Grantee::Authenticated, Permission::Read),
        ("log-delivery-write", Scope::Bucket) => acl
            .with(Grantee::LogDelivery, Permission::Write)
            .with(Grantee::LogDelivery, Permission::ReadAcp),
        ("bucket-owner-read", Scope::Object) => acl.with(Grantee::BucketOwner, Permission::Read),
        ("bucket-owner-full-control", Scope::Object) => {
            acl.with(Grantee::BucketOwner, Permission::FullControl)
        }
        // They say nothing of a bucket, and S3 ignores them there.
        ("bucket-owner-read" | "bucket-owner-full-control", Scope::Bucket) => acl,
        _ => return None,
    })
}

/// `id="..", emailAddress="..", uri=".."`
fn read_grants(
    header: &str,
    value: &str,
    permission: Permission,
    grants: &mut Vec<Grant>,
) -> Result<(), Denial> {
    for one in value.split(',') {
        let malformed = || deny(InvalidArgument).argument(header, value);
        let (kind, who) = one.split_once('=').ok_or_else(malformed)?;
        let who = who.trim_ascii();
        let who = who
            .strip_prefix('"')
            .and_then(|who| who.strip_suffix('"'))
            .unwrap_or(who);
        let grantee = match kind.trim_ascii() {
            kind if kind.eq_ignore_ascii_case("id") => by_id(who)?,
            kind if kind.eq_ignore_ascii_case("emailAddress") => by_email(who)?,
            kind if kind.eq_ignore_ascii_case("uri") => by_uri(who)?,
            _ => return Err(malformed()),
        };
        if grants.len() >= GRANTS_MAX {
            return Err(too_many());
        }
        grants.push(Grant::new(grantee, permission));
    }
    Ok(())
}

/// An account must be known, or a mistyped grant would wait for its account.
pub(crate) fn by_id(id: &str) -> Result<Grantee, Denial> {
    match directory::by_id(id) {
        // A document has a grant a line.
        Some(account) if !account.id.contains('\n') => Ok(Grantee::Account(account.id)),
        _ => Err(deny(InvalidArgument)
            .argument("CanonicalUser/ID", id)
            .because("Invalid id")),
    }
}

pub(crate) fn by_email(email: &str) -> Result<Grantee, Denial> {
    match directory::by_email(email) {
        Some(account) if !account.id.contains('\n') => Ok(Grantee::Account(account.id)),
        _ => Err(deny(UnresolvableGrantByEmailAddress).with("EmailAddress", email)),
    }
}

pub(crate) fn by_uri(uri: &str) -> Result<Grantee, Denial> {
    match uri {
        ALL_USERS => Ok(Grantee::Everyone),
        AUTHENTICATED_USERS => Ok(Grantee::Authenticated),
        LOG_DELIVERY => Ok(Grantee::LogDelivery),
        _ => Err(deny(InvalidArgument)
            .argument("uri", uri)
            .because("Invalid group uri")),
    }
}

pub(crate) fn too_many() -> Denial {
    deny(MalformedACLError).because("An ACL has at most 100 grants")
}

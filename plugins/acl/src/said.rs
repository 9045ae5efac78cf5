//! A list as headers say it: by one name, or grant by grant.

use sluice_plugin::prelude::*;

use crate::acl::{Acl, GRANTS_MAX, Grant, Grantee, Permission};
use crate::dialect::{Canned, Dialect, Profile, Subject};

/// Names a list.
pub(crate) const CANNED: &str = "x-amz-acl";

pub(crate) const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub(crate) const AUTHENTICATED_USERS: &str =
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
pub(crate) const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// What grants have in common; the rest of the name is the permission.
const GRANTING: &str = "x-amz-grant-";

/// What the headers say.
#[derive(Debug)]
pub(crate) enum Said {
    Canned(Canned),
    Grants(Vec<Grant>),
}

impl Said {
    /// What the headers of a request say, if they say anything.
    pub(crate) fn in_headers(request: &Request, dialect: Dialect) -> Result<Option<Self>, Denial> {
        let canned = request.header(CANNED);
        let mut grants = Vec::new();
        let mut granting = false;
        for (name, permission) in dialect.grant_headers() {
            if let Some(value) = request.header(name) {
                granting = true;
                read_grants(name, &value, permission, dialect, &mut grants)?;
            }
        }
        refuse_unknown(request, dialect)?;
        match (canned, granting) {
            (Some(_), true) => Err(deny(InvalidRequest)
                .because("Specifying both Canned ACLs and Header Grants is not allowed")),
            (Some(name), false) => match Canned::parse(&name) {
                Some(canned) => Ok(Some(Self::Canned(canned))),
                None => Err(deny(InvalidArgument).argument(CANNED, &name)),
            },
            (None, true) => Ok(Some(Self::Grants(grants))),
            (None, false) => Ok(None),
        }
    }

    /// The list that is meant, for what is to have it.
    pub(crate) fn acl(self, profile: Profile, subject: Subject<'_>) -> Result<Acl, Denial> {
        match self {
            Self::Canned(canned) => profile
                .spell_out(canned, subject)
                .ok_or_else(|| deny(InvalidArgument).argument(CANNED, canned.name())),
            Self::Grants(grants) => profile.admit(grants, subject.scope),
        }
    }
}

/// A grant with a name that means nothing would be one that nobody is given.
fn refuse_unknown(request: &Request, dialect: Dialect) -> Result<(), Denial> {
    for name in request.header_names() {
        let mut known = dialect.grant_headers();
        if name.starts_with(GRANTING) && !known.any(|(known, _)| known == name) {
            let value = request.header(&name).unwrap_or_default();
            return Err(deny(InvalidArgument).argument(&name, &value));
        }
    }
    Ok(())
}

/// `id="..", emailAddress="..", uri=".."`
fn read_grants(
    header: &str,
    value: &str,
    permission: Permission,
    dialect: Dialect,
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
            kind if kind.eq_ignore_ascii_case("emailAddress") => by_email(who, dialect)?,
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

pub(crate) fn by_email(email: &str, dialect: Dialect) -> Result<Grantee, Denial> {
    match dialect.account(email) {
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

//! A list as the body of `?acl` says it.

use sluice_plugin::prelude::*;
use sluice_plugin::xml::{Malformed, Reader, Tag, escape};

use crate::acl::{Acl, GRANTS_MAX, Grant, Grantee};
use crate::dialect::Dialect;
use crate::said;

pub(crate) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// How a body is read: as of something that this account owns, in this dialect.
#[derive(Clone, Copy)]
struct Terms<'a> {
    owner: &'a str,
    dialect: Dialect,
}

/// Why a body is not a list that can be kept.
enum Refused {
    Malformed,
    Denied(Denial),
}

impl From<Malformed> for Refused {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// Reads the grants on something that this account owns.
pub(crate) fn read(body: &[u8], owner: &str, dialect: Dialect) -> Result<Vec<Grant>, Denial> {
    policy(body, Terms { owner, dialect }).map_err(|refused| match refused {
        Refused::Malformed => deny(MalformedACLError),
        Refused::Denied(denial) => denial,
    })
}

fn policy(body: &[u8], terms: Terms<'_>) -> Result<Vec<Grant>, Refused> {
    let mut reader = Reader::new(body)?;
    reader.root("AccessControlPolicy")?;
    let (mut owned, mut listed) = (None, None);
    while let Some(tag) = reader.child()? {
        match tag.name {
            "Owner" if owned.is_none() => owned = Some(owner_id(&mut reader)?),
            "AccessControlList" if listed.is_none() => listed = Some(grants(&mut reader, terms)?),
            _ => return Err(Refused::Malformed),
        }
    }
    reader.finish()?;
    let (Some(owned), Some(grants)) = (owned, listed) else {
        return Err(Refused::Malformed);
    };
    if owned != terms.owner {
        return Err(deny(AccessDenied).because("An ACL cannot change the owner"));
    }
    Ok(grants)
}

fn owner_id(reader: &mut Reader<'_>) -> Result<String, Refused> {
    let mut id = None;
    while let Some(tag) = reader.child()? {
        match tag.name {
            "ID" if id.is_none() => id = Some(reader.text()?.into_owned()),
            "DisplayName" => reader.skip()?,
            _ => return Err(Refused::Malformed),
        }
    }
    id.ok_or(Refused::Malformed)
}

fn grants(reader: &mut Reader<'_>, terms: Terms<'_>) -> Result<Vec<Grant>, Refused> {
    let mut grants = Vec::new();
    while let Some(tag) = reader.child()? {
        if tag.name != "Grant" {
            return Err(Refused::Malformed);
        }
        if grants.len() >= GRANTS_MAX {
            return Err(said::too_many().into());
        }
        grants.push(grant(reader, terms)?);
    }
    Ok(grants)
}

fn grant(reader: &mut Reader<'_>, terms: Terms<'_>) -> Result<Grant, Refused> {
    let (mut to, mut permission) = (None, None);
    while let Some(tag) = reader.child()? {
        match tag.name {
            "Grantee" if to.is_none() => to = Some(grantee(reader, tag, terms)?),
            "Permission" if permission.is_none() => {
                let known = terms.dialect.permission(&reader.text()?);
                permission = Some(known.ok_or(Refused::Malformed)?);
            }
            _ => return Err(Refused::Malformed),
        }
    }
    match (to, permission) {
        (Some(to), Some(permission)) => Ok(Grant::new(to, permission)),
        _ => Err(Refused::Malformed),
    }
}

fn grantee(reader: &mut Reader<'_>, tag: Tag<'_>, terms: Terms<'_>) -> Result<Grantee, Refused> {
    let kind = tag.attribute("type")?.ok_or(Refused::Malformed)?;
    let (mut id, mut email, mut uri) = (None, None, None);
    while let Some(tag) = reader.child()? {
        let place = match tag.name {
            "ID" => &mut id,
            "EmailAddress" => &mut email,
            "URI" => &mut uri,
            "DisplayName" => {
                reader.skip()?;
                continue;
            }
            _ => return Err(Refused::Malformed),
        };
        if place.replace(reader.text()?).is_some() {
            return Err(Refused::Malformed);
        }
    }
    let grantee = match (&*kind, id, email, uri) {
        ("CanonicalUser", Some(id), None, None) if id == terms.owner => Grantee::Owner,
        ("CanonicalUser", Some(id), None, None) => said::by_id(&id)?,
        ("AmazonCustomerByEmail", None, Some(email), None) => {
            said::by_email(&email, terms.dialect)?
        }
        ("Group", None, None, Some(uri)) => said::by_uri(&uri)?,
        _ => return Err(Refused::Malformed),
    };
    Ok(match grantee {
        Grantee::Account(id) if id == terms.owner => Grantee::Owner,
        grantee => grantee,
    })
}

/// Writes the list of something that this account owns.
pub(crate) fn write(acl: &Acl, owner: &str, bucket_owner: Option<&str>) -> String {
    let mut out = String::with_capacity(1024);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<AccessControlPolicy xmlns=\"");
    out.push_str(NAMESPACE);
    out.push_str("\"><Owner>");
    push_account(&mut out, owner);
    out.push_str("</Owner><AccessControlList>");
    for grant in &acl.grants {
        out.push_str(
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"",
        );
        match &grant.grantee {
            Grantee::Owner => push_user(&mut out, owner),
            Grantee::BucketOwner => push_user(&mut out, bucket_owner.unwrap_or(owner)),
            Grantee::Account(id) => push_user(&mut out, id),
            Grantee::Everyone => push_group(&mut out, said::ALL_USERS),
            Grantee::Authenticated => push_group(&mut out, said::AUTHENTICATED_USERS),
            Grantee::LogDelivery => push_group(&mut out, said::LOG_DELIVERY),
        }
        out.push_str("</Grantee>");
        push_element(&mut out, "Permission", grant.permission.name());
        out.push_str("</Grant>");
    }
    out.push_str("</AccessControlList></AccessControlPolicy>");
    out
}

fn push_user(out: &mut String, id: &str) {
    out.push_str("CanonicalUser\">");
    push_account(out, id);
}

fn push_group(out: &mut String, uri: &str) {
    out.push_str("Group\">");
    push_element(out, "URI", uri);
}

fn push_account(out: &mut String, id: &str) {
    push_element(out, "ID", id);
    // An account that is gone has no name any more.
    if let Some(account) = directory::by_id(id) {
        push_element(out, "DisplayName", &account.display_name);
    }
}

fn push_element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    escape(text, out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

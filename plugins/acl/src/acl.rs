//! A list, and the document that it is kept in: the line `acl 1`, then a line for
//! each grant, such as `READ all` or `FULL_CONTROL id:alice`.

/// Grants, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acl {
    pub(crate) grants: Vec<Grant>,
}

/// As many as S3 allows.
pub(crate) const GRANTS_MAX: usize = 100;

const HEAD: &str = "acl 1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) grantee: Grantee,
    pub(crate) permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grantee {
    /// Whoever owns what the list is of.
    Owner,
    /// Whoever owns the bucket that the object is in.
    BucketOwner,
    /// An account, by its canonical user id.
    Account(String),
    Everyone,
    Authenticated,
    LogDelivery,
}

/// What a grant gives to each that it is meant for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Granted {
    pub(crate) permission: Permission,
    /// Whether these are not one account, but whoever belongs to a group.
    pub(crate) to_group: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    Read,
    Write,
    ReadAcp,
    WriteAcp,
    FullControl,
}

impl Acl {
    /// The owner may do everything.
    pub(crate) fn private() -> Self {
        Self {
            grants: vec![Grant::new(Grantee::Owner, Permission::FullControl)],
        }
    }

    pub(crate) fn with(mut self, grantee: Grantee, permission: Permission) -> Self {
        self.grants.push(Grant::new(grantee, permission));
        self
    }

    pub(crate) fn is_private(&self) -> bool {
        matches!(
            self.grants.as_slice(),
            [Grant {
                grantee: Grantee::Owner,
                permission: Permission::FullControl
            }]
        )
    }

    /// Whether it leaves everything to this account, and nothing to anybody else.
    pub(crate) fn is_of_alone(&self, account: Option<&str>) -> bool {
        let mut grants = self.grants.iter();
        !self.grants.is_empty()
            && grants.all(|grant| {
                let granted = match &grant.grantee {
                    Grantee::Owner | Grantee::BucketOwner => true,
                    Grantee::Account(id) => account == Some(id),
                    Grantee::Everyone | Grantee::Authenticated | Grantee::LogDelivery => false,
                };
                granted && grant.permission == Permission::FullControl
            })
    }

    /// Whether it lets a grantee read, by itself or together with everybody.
    pub(crate) fn lets_read(&self, grantee: &Grantee) -> bool {
        let mut grants = self.grants.iter();
        *grantee == Grantee::Owner
            || grants.any(|grant| {
                let reads = matches!(grant.permission, Permission::Read | Permission::FullControl);
                reads && (grant.grantee == *grantee || grant.grantee == Grantee::Everyone)
            })
    }

    pub(crate) fn encode(&self) -> String {
        let mut document = String::from(HEAD);
        for grant in &self.grants {
            document.push('\n');
            document.push_str(grant.permission.name());
            document.push(' ');
            match &grant.grantee {
                Grantee::Owner => document.push_str("owner"),
                Grantee::BucketOwner => document.push_str("bucket-owner"),
                Grantee::Everyone => document.push_str("all"),
                Grantee::Authenticated => document.push_str("authenticated"),
                Grantee::LogDelivery => document.push_str("log-delivery"),
                Grantee::Account(id) => {
                    document.push_str("id:");
                    document.push_str(id);
                }
            }
        }
        document
    }

    /// Nothing, where the document is not a list.
    pub(crate) fn decode(document: &[u8]) -> Option<Self> {
        let grants = entries(document)?
            .map(|entry| {
                let (permission, grantee) = entry?;
                let grantee = match grantee {
                    "owner" => Grantee::Owner,
                    "bucket-owner" => Grantee::BucketOwner,
                    "all" => Grantee::Everyone,
                    "authenticated" => Grantee::Authenticated,
                    "log-delivery" => Grantee::LogDelivery,
                    id => Grantee::Account(id.strip_prefix("id:")?.to_owned()),
                };
                Some(Grant {
                    grantee,
                    permission,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { grants })
    }
}

/// Who is asking, as far as a list can tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// Nothing for an anonymous request.
    pub(crate) account: Option<&'a str>,
    pub(crate) owner: &'a str,
    pub(crate) bucket_owner: Option<&'a str>,
}

impl Asking<'_> {
    pub(crate) fn is_owner(&self) -> bool {
        self.account == Some(self.owner)
    }

    /// Whether a list grants a permission that suffices. Reads the document as it
    /// is: most requests ask once. What is not a list grants nothing.
    pub(crate) fn is_granted(&self, document: &[u8], suffices: impl Fn(Granted) -> bool) -> bool {
        let Some(mut entries) = entries(document) else {
            return false;
        };
        entries.any(|entry| match entry {
            Some((permission, grantee)) => {
                let to_group = matches!(grantee, "all" | "authenticated" | "log-delivery");
                let granted = Granted {
                    permission,
                    to_group,
                };
                suffices(granted) && self.is(grantee)
            }
            None => false,
        })
    }

    pub(crate) fn is_bucket_owner(&self) -> bool {
        self.account.is_some() && self.account == self.bucket_owner
    }

    fn is(&self, grantee: &str) -> bool {
        match grantee {
            "all" => true,
            "authenticated" => self.account.is_some(),
            "owner" => self.is_owner(),
            "bucket-owner" => self.is_bucket_owner(),
            _ => match grantee.strip_prefix("id:") {
                Some(id) => self.account == Some(id),
                None => false,
            },
        }
    }
}

/// The grants of a document; nothing for one that cannot be read.
fn entries(document: &[u8]) -> Option<impl Iterator<Item = Option<(Permission, &str)>>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut lines = text.split('\n');
    if lines.next() != Some(HEAD) {
        return None;
    }
    Some(lines.map(|line| {
        let (permission, grantee) = line.split_once(' ')?;
        Some((Permission::parse(permission)?, grantee))
    }))
}

impl Grant {
    pub(crate) fn new(grantee: Grantee, permission: Permission) -> Self {
        Self {
            grantee,
            permission,
        }
    }

    pub(crate) fn granted(&self) -> Granted {
        let to_group = match self.grantee {
            Grantee::Owner | Grantee::BucketOwner | Grantee::Account(_) => false,
            Grantee::Everyone | Grantee::Authenticated | Grantee::LogDelivery => true,
        };
        Granted {
            permission: self.permission,
            to_group,
        }
    }
}

impl Permission {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "READ" => Self::Read,
            "WRITE" => Self::Write,
            "READ_ACP" => Self::ReadAcp,
            "WRITE_ACP" => Self::WriteAcp,
            "FULL_CONTROL" => Self::FullControl,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
            Self::FullControl => "FULL_CONTROL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_back() {
        let acl = Acl::private()
            .with(Grantee::Everyone, Permission::Read)
            .with(Grantee::Authenticated, Permission::Write)
            .with(Grantee::BucketOwner, Permission::ReadAcp)
            .with(Grantee::LogDelivery, Permission::WriteAcp)
            .with(
                Grantee::Account("al ice".to_owned()),
                Permission::FullControl,
            );
        assert_eq!(Acl::decode(acl.encode().as_bytes()), Some(acl));
        let nobody = Acl { grants: Vec::new() };
        assert_eq!(nobody.encode(), "acl 1");
        assert_eq!(Acl::decode(b"acl 1"), Some(nobody));
    }

    #[test]
    fn what_is_no_list_grants_nothing() {
        let asking = Asking {
            account: Some("alice"),
            owner: "alice",
            bucket_owner: None,
        };
        let check = |document: &[u8]| {
            assert_eq!(Acl::decode(document), None, "{document:?}");
            assert!(!asking.is_granted(document, |_| true), "{document:?}");
        };
        check(b"");
        check(b"acl 2\nREAD all");
        check(b"acl 1\nREAD");
        check(b"acl 1\nread all");
        check(b"acl 1\nREAD nobody");
        check(b"acl 1\nREAD \xff");
    }

    #[test]
    fn a_grant_is_for_whom_it_names() {
        let check = |account: Option<&str>, grantee: &str, expected: bool| {
            let asking = Asking {
                account,
                owner: "alice",
                bucket_owner: Some("bob"),
            };
            let document = format!("acl 1\nREAD {grantee}");
            assert_eq!(
                asking.is_granted(document.as_bytes(), |granted| granted.permission
                    == Permission::Read),
                expected,
                "{account:?} {grantee}"
            );
            let otherwise = |granted: Granted| granted.permission != Permission::Read;
            assert!(!asking.is_granted(document.as_bytes(), otherwise));
        };
        check(None, "all", true);
        check(None, "authenticated", false);
        check(None, "owner", false);
        check(None, "bucket-owner", false);
        check(None, "id:", false);
        check(Some("alice"), "all", true);
        check(Some("alice"), "authenticated", true);
        check(Some("alice"), "owner", true);
        check(Some("alice"), "bucket-owner", false);
        check(Some("bob"), "owner", false);
        check(Some("bob"), "bucket-owner", true);
        check(Some("carol"), "id:carol", true);
        check(Some("carol"), "id:carol2", false);
        check(Some("carol"), "log-delivery", false);
    }
}

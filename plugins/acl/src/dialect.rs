//! What S3 is taken for: its dialects differ in what the permissions of a list
//! mean, in which lists can be given, and in the names for all that.

use sluice_plugin::prelude::*;

use crate::acl::{Acl, Grant, Granted, Grantee, Permission};
use crate::said;

/// Whose S3 it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Settings)]
pub(crate) enum Profile {
    /// As Amazon has it: each permission is one by itself.
    Aws,
    /// Who may read a bucket reads what is in it, nobody writes without reading,
    /// and whoever sees or changes the list of a bucket owns it.
    Dsnet,
    /// The same, but to read a bucket is to list it and no more.
    #[setting(rename = "list-only")]
    ListOnly,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) profile: Profile,
    /// `READ_ACL` and `WRITE_ACL` are names for `READ_ACP` and `WRITE_ACP`.
    pub(crate) aliases: bool,
}

/// A list by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canned {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    LogDeliveryWrite,
    BucketOwnerRead,
    BucketOwnerFullControl,
}

/// What is given a list, and who gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) scope: Scope,
    /// Of the bucket or the object; nobody, where anybody may make one.
    pub(crate) owner: Option<&'a str>,
    pub(crate) requester: Option<&'a str>,
}

impl Profile {
    /// Whether what is granted is as good as what is needed.
    pub(crate) fn suffices(self, scope: Scope, granted: Granted, needed: Permission) -> bool {
        granted.permission == needed || self.meant(scope, granted) == Permission::FullControl
    }

    /// Whether what is granted of a bucket makes an owner. A group never is one:
    /// what it is granted is what the grant names.
    pub(crate) fn makes_owner(self, granted: Granted) -> bool {
        self.has_owners()
            && !granted.to_group
            && self.meant(Scope::Bucket, granted) == Permission::FullControl
    }

    /// What a grant comes to.
    fn meant(self, scope: Scope, granted: Granted) -> Permission {
        match (granted.permission, scope) {
            (Permission::ReadAcp | Permission::WriteAcp, Scope::Bucket)
                if self.has_owners() && !granted.to_group =>
            {
                Permission::FullControl
            }
            (permission, _) => permission,
        }
    }

    /// Whether a bucket is owned by whoever controls its list, and by its creator
    /// always.
    pub(crate) fn has_owners(self) -> bool {
        match self {
            Self::Aws => false,
            Self::Dsnet | Self::ListOnly => true,
        }
    }

    /// Whether who may read a bucket may read its objects, too.
    pub(crate) fn bucket_readers_read_objects(self) -> bool {
        self == Self::Dsnet
    }

    fn takes(self, canned: Canned, scope: Scope) -> bool {
        match (canned, scope) {
            (Canned::Private | Canned::PublicRead | Canned::PublicReadWrite, _) => true,
            (Canned::AuthenticatedRead, Scope::Object) => true,
            (Canned::AuthenticatedRead, _) => self == Self::Aws,
            (Canned::LogDeliveryWrite, Scope::Bucket) => self == Self::Aws,
            (Canned::LogDeliveryWrite, _) => false,
            // They say nothing of a bucket, and S3 ignores them there.
            (Canned::BucketOwnerRead | Canned::BucketOwnerFullControl, _) => self == Self::Aws,
        }
    }

    /// The list of this name, where there is one.
    pub(crate) fn spell_out(self, canned: Canned, subject: Subject<'_>) -> Option<Acl> {
        let scope = subject.scope;
        if !self.takes(canned, scope) {
            return None;
        }
        let mut acl = Acl::private();
        if let (true, Scope::Bucket, Some(requester)) =
            (self.has_owners(), scope, subject.requester)
            && subject.owner != Some(requester)
        {
            // Who gives the list stays an owner.
            let grantee = Grantee::Account(requester.to_owned());
            acl = acl.with(grantee, Permission::FullControl);
        }
        Some(match (canned, scope) {
            (Canned::Private, _) => acl,
            (Canned::PublicRead, _) => acl.with(Grantee::Everyone, Permission::Read),
            (Canned::PublicReadWrite, scope) => {
                let acl = acl.with(Grantee::Everyone, Permission::Read);
                match (self.has_owners(), scope) {
                    // Nobody writes an object: a new one takes its place.
                    (true, Scope::Object) => acl,
                    _ => acl.with(Grantee::Everyone, Permission::Write),
                }
            }
            (Canned::AuthenticatedRead, _) => acl.with(Grantee::Authenticated, Permission::Read),
            (Canned::LogDeliveryWrite, _) => acl
                .with(Grantee::LogDelivery, Permission::Write)
                .with(Grantee::LogDelivery, Permission::ReadAcp),
            (Canned::BucketOwnerRead, Scope::Object) => {
                acl.with(Grantee::BucketOwner, Permission::Read)
            }
            (Canned::BucketOwnerFullControl, Scope::Object) => {
                acl.with(Grantee::BucketOwner, Permission::FullControl)
            }
            (Canned::BucketOwnerRead | Canned::BucketOwnerFullControl, _) => acl,
        })
    }

    /// The list that these grants come to, if they can be given.
    pub(crate) fn admit(self, grants: Vec<Grant>, scope: Scope) -> Result<Acl, Denial> {
        if !self.has_owners() {
            return Ok(Acl { grants });
        }
        let mut acl = Acl { grants: Vec::new() };
        for grant in grants {
            let permission = grant.permission;
            let uri = match (&grant.grantee, scope) {
                (Grantee::LogDelivery, _) => Some(said::LOG_DELIVERY),
                (Grantee::Authenticated, Scope::Bucket) => Some(said::AUTHENTICATED_USERS),
                // Everybody may read and write a bucket, and nobody owns it by that.
                (Grantee::Everyone, Scope::Bucket)
                    if !matches!(permission, Permission::Read | Permission::Write) =>
                {
                    Some(said::ALL_USERS)
                }
                _ => None,
            };
            if let Some(uri) = uri {
                return deny(InvalidArgument)
                    .argument("uri", uri)
                    .because("This group cannot be granted anything here");
            }
            if (permission, scope) == (Permission::Write, Scope::Object) {
                return deny(InvalidRequest).because("WRITE is not a permission of objects");
            }
            let meant = self.meant(scope, grant.granted());
            let grant = Grant::new(grant.grantee, meant);
            if !acl.grants.contains(&grant) {
                acl.grants.push(grant);
            }
        }
        let mut writers = acl
            .grants
            .iter()
            .filter(|grant| grant.permission == Permission::Write);
        if !writers.all(|writer| acl.lets_read(&writer.grantee)) {
            return deny(InvalidRequest)
                .because("WRITE is granted only to who is granted READ as well");
        }
        Ok(acl)
    }
}

impl Dialect {
    /// The permission of this name in a document.
    pub(crate) fn permission(self, name: &str) -> Option<Permission> {
        match name {
            "READ_ACL" if self.aliases => Some(Permission::ReadAcp),
            "WRITE_ACL" if self.aliases => Some(Permission::WriteAcp),
            name => Permission::parse(name),
        }
    }

    /// The headers that grant something.
    pub(crate) fn grant_headers(self) -> impl Iterator<Item = (&'static str, Permission)> {
        const HEADERS: [(&str, Permission); 7] = [
            ("x-amz-grant-full-control", Permission::FullControl),
            ("x-amz-grant-read", Permission::Read),
            ("x-amz-grant-read-acp", Permission::ReadAcp),
            ("x-amz-grant-write", Permission::Write),
            ("x-amz-grant-write-acp", Permission::WriteAcp),
            ("x-amz-grant-read-acl", Permission::ReadAcp),
            ("x-amz-grant-write-acl", Permission::WriteAcp),
        ];
        let names = if self.aliases { 7 } else { 5 };
        HEADERS.into_iter().take(names)
    }

    /// The account with this address; in some dialects its name is one.
    pub(crate) fn account(self, email: &str) -> Option<Account> {
        directory::by_email(email).or_else(|| {
            let named = self.profile.has_owners().then(|| directory::by_id(email));
            named.flatten()
        })
    }
}

impl Canned {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut all = [
            Self::Private,
            Self::PublicRead,
            Self::PublicReadWrite,
            Self::AuthenticatedRead,
            Self::LogDeliveryWrite,
            Self::BucketOwnerRead,
            Self::BucketOwnerFullControl,
        ]
        .into_iter();
        all.find(|canned| canned.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::LogDeliveryWrite => "log-delivery-write",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission as P;
    use Profile::{Aws, Dsnet, ListOnly};

    #[test]
    fn a_permission_is_as_good_as_another_where_the_dialect_says_so() {
        const ALL: [P; 5] = [P::Read, P::Write, P::ReadAcp, P::WriteAcp, P::FullControl];
        let check = |profile: Profile, scope, permission, to_group, expected: &[P]| {
            let granted = Granted {
                permission,
                to_group,
            };
            let needs = ALL.into_iter();
            let needs = needs.filter(|needed| profile.suffices(scope, granted, *needed));
            assert_eq!(
                needs.collect::<Vec<_>>(),
                expected,
                "{profile:?} {scope:?} {granted:?}"
            );
        };
        for profile in [Aws, Dsnet, ListOnly] {
            for to_group in [false, true] {
                for scope in [Scope::Bucket, Scope::Object] {
                    check(profile, scope, P::Read, to_group, &[P::Read]);
                    check(profile, scope, P::Write, to_group, &[P::Write]);
                    check(profile, scope, P::FullControl, to_group, &ALL);
                }
                for permission in [P::ReadAcp, P::WriteAcp] {
                    check(profile, Scope::Object, permission, to_group, &[permission]);
                }
            }
            for permission in [P::ReadAcp, P::WriteAcp] {
                let one: &[P] = match profile {
                    Aws => &[permission],
                    Dsnet | ListOnly => &ALL,
                };
                check(profile, Scope::Bucket, permission, false, one);
                check(profile, Scope::Bucket, permission, true, &[permission]);
            }
        }
    }

    #[test]
    fn only_accounts_are_made_owners() {
        let check = |profile: Profile, expected: [bool; 2]| {
            for permission in [P::ReadAcp, P::WriteAcp, P::FullControl] {
                let owner = [false, true].map(|to_group| {
                    profile.makes_owner(Granted {
                        permission,
                        to_group,
                    })
                });
                assert_eq!(owner, expected, "{profile:?} {permission:?}");
            }
        };
        check(Aws, [false, false]);
        check(Dsnet, [true, false]);
        check(ListOnly, [true, false]);
    }

    #[test]
    fn a_name_stands_for_a_list_where_the_dialect_has_it() {
        let check = |name: &str, bucket: [Option<&str>; 2], object: [Option<&str>; 2]| {
            let spelled = |profile: Profile, scope| {
                let subject = Subject {
                    scope,
                    owner: Some("alice"),
                    requester: Some("alice"),
                };
                let acl = profile.spell_out(Canned::parse(name)?, subject)?;
                let document = acl.encode();
                let grants = document.strip_prefix("acl 1\nFULL_CONTROL owner").unwrap();
                Some(grants.trim_start().replace('\n', ", "))
            };
            for (scope, [aws, dsnet]) in [(Scope::Bucket, bucket), (Scope::Object, object)] {
                assert_eq!(spelled(Aws, scope).as_deref(), aws, "{name} {scope:?}");
                assert_eq!(spelled(Dsnet, scope).as_deref(), dsnet, "{name} {scope:?}");
                assert_eq!(spelled(ListOnly, scope).as_deref(), dsnet, "{name}");
            }
        };
        let (read, write) = (Some("READ all"), Some("READ all, WRITE all"));
        let authenticated = Some("READ authenticated");
        let log = Some("WRITE log-delivery, READ_ACP log-delivery");
        check("private", [Some(""), Some("")], [Some(""), Some("")]);
        check("public-read", [read, read], [read, read]);
        check("public-read-write", [write, write], [write, read]);
        check(
            "authenticated-read",
            [authenticated, None],
            [authenticated, authenticated],
        );
        check("log-delivery-write", [log, None], [None, None]);
        check(
            "bucket-owner-read",
            [Some(""), None],
            [Some("READ bucket-owner"), None],
        );
        check(
            "bucket-owner-full-control",
            [Some(""), None],
            [Some("FULL_CONTROL bucket-owner"), None],
        );
        check("aws-exec-read", [None, None], [None, None]);
        check("Private", [None, None], [None, None]);
    }
}

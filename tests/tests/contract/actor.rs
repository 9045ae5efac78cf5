//! Who asks: `alice` signs in the header; `anonymous` does not sign. Before the
//! name may stand how it is signed: `presigned`, `expired` (a URL of the past),
//! `v2`, `v2-presigned`, `skewed` (a clock that is an hour behind), `forged` (with a
//! secret that is not the one), `foreign` (for another region).

use std::time::Duration;

use sluice_tests::{Key, NOBODY, OTHER, ROOT, Request, Time};

/// An account without the role that creating buckets takes.
const BOB: Key = Key {
    access: "AKIDBOB",
    secret: "bob-secret-of-the-tests",
    ..ROOT
};

const ALICE: Key = Key {
    access: "AKIDALICE",
    secret: "alice-secret-of-the-tests",
    ..ROOT
};

/// Those besides `root` and `other`, for the configuration.
pub(crate) fn accounts() -> String {
    let account = |id: &str, name: &str, roles: &str, key: &Key| {
        format!(
            "  - {{id: {id}, display_name: {name}, email: {id}@example.com, roles: [{roles}], \
             keys: [{{access_key: {}, secret_key: {}}}]}}\n",
            key.access, key.secret
        )
    };
    account("alice", "Alice", "bucket-provisioner", &ALICE) + &account("bob", "Bob", "", &BOB)
}

/// The key of an account, and `stranger`, which is of none.
pub(crate) fn key(name: &str) -> Result<Key, String> {
    Ok(match name {
        "root" => ROOT,
        "other" => OTHER,
        "alice" => ALICE,
        "bob" => BOB,
        "stranger" => NOBODY,
        _ => return Err(format!("nobody is called `{name}`")),
    })
}

pub(crate) fn sign(request: Request, actor: &str) -> Result<Request, String> {
    if actor == "anonymous" {
        return Ok(request);
    }
    let (how, name) = actor.rsplit_once(' ').unwrap_or(("signed", actor));
    let key = key(name)?;
    Ok(match how {
        "signed" => request.signed(&key),
        "presigned" => request.presigned(&key),
        "expired" => request.expired(&key),
        "v2" => request.signed_v2(&key),
        "v2-presigned" => request.presigned_v2(&key),
        "skewed" => request.signed_at(&key, &Time::ago(Duration::from_secs(3600))),
        "forged" => request.signed(&Key {
            secret: "another secret",
            ..key
        }),
        "foreign" => request.signed(&Key {
            region: "eu-central-1",
            ..key
        }),
        _ => return Err(format!("nothing is signed `{how}`")),
    })
}

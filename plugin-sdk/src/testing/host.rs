//! The calls of the contract, answered from the request in hand.

use super::{SCENE, Scene};

fn scene<T>(ask: impl FnOnce(&mut Scene) -> T) -> T {
    SCENE.with_borrow_mut(|scene| {
        ask(scene
            .as_mut()
            .expect("run the phases of a plugin with `testing::Request`"))
    })
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key);
    let mut mac = mac.expect("a key of any length will do");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) mod request {
    use super::scene;
    use crate::bindings::sluice::policy::types::{Denial, Operation, Phase, Principal};

    pub(crate) fn operation() -> Operation {
        scene(|scene| scene.request.operation)
    }

    pub(crate) fn method() -> String {
        scene(|scene| scene.request.method.clone())
    }

    pub(crate) fn path() -> String {
        scene(|scene| scene.request.path.clone())
    }

    pub(crate) fn query_string() -> String {
        scene(|scene| scene.request.query_string.clone())
    }

    pub(crate) fn sub_resource() -> Option<String> {
        scene(|scene| scene.request.sub_resource.clone())
    }

    pub(crate) fn query(name: &str) -> Option<String> {
        scene(|scene| scene.request.query(name))
    }

    pub(crate) fn header(name: &str) -> Option<String> {
        let values: Vec<_> = headers()
            .into_iter()
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value)
            .collect();
        let sent = (!values.is_empty()).then(|| values.join(","));
        scene(|scene| scene.request.form_header(name)).or(sent)
    }

    pub(crate) fn headers() -> Vec<(String, String)> {
        scene(|scene| scene.request.headers.clone())
    }

    pub(crate) fn header_names() -> Vec<String> {
        scene(|scene| {
            let sent = scene.request.headers.iter().map(|(name, _)| name.as_str());
            let names: std::collections::BTreeSet<&str> =
                sent.chain(scene.request.form_headers()).collect();
            names.into_iter().map(str::to_owned).collect()
        })
    }

    pub(crate) fn bucket() -> Option<String> {
        scene(|scene| scene.request.bucket.clone())
    }

    pub(crate) fn key() -> Option<String> {
        scene(|scene| scene.request.key.clone())
    }

    pub(crate) fn version_id() -> Option<String> {
        scene(|scene| scene.request.version_id.clone())
    }

    pub(crate) fn principal() -> Principal {
        scene(|scene| scene.request.principal.clone())
    }

    pub(crate) fn source_address() -> String {
        scene(|scene| scene.request.source_address.clone())
    }

    pub(crate) fn secure() -> bool {
        scene(|scene| scene.request.secure)
    }

    pub(crate) fn request_id() -> String {
        scene(|scene| scene.request.request_id.clone())
    }

    pub(crate) fn form_field(name: &str) -> Option<String> {
        scene(|scene| scene.request.form.get(name).cloned())
    }

    pub(crate) fn body() -> Result<Vec<u8>, Denial> {
        scene(|scene| {
            assert_eq!(scene.phase, Phase::Serve, "only `serve` has the body");
            Ok(scene.request.body.clone())
        })
    }
}

pub(crate) mod access {
    use super::scene;
    use crate::bindings::sluice::policy::types::Action;

    pub(crate) fn action() -> Action {
        scene(|scene| scene.request.action)
    }

    pub(crate) fn bucket() -> Option<String> {
        scene(|scene| scene.request.bucket.clone())
    }

    pub(crate) fn key() -> Option<String> {
        scene(|scene| scene.request.key.clone())
    }

    pub(crate) fn version_id() -> Option<String> {
        scene(|scene| scene.request.version_id.clone())
    }

    pub(crate) fn bucket_owner() -> Option<String> {
        scene(|scene| scene.request.bucket_owner.clone())
    }

    pub(crate) fn object_owner() -> Option<String> {
        scene(|scene| scene.request.object_owner.clone())
    }

    pub(crate) fn upload_initiator() -> Option<String> {
        scene(|scene| scene.request.upload_initiator.clone())
    }

    pub(crate) fn bucket_template() -> Option<String> {
        scene(|scene| scene.request.bucket_template.clone())
    }

    pub(crate) fn bucket_location() -> Option<String> {
        scene(|scene| scene.request.bucket_location.clone())
    }
}

pub(crate) mod documents {
    use super::scene;
    use crate::bindings::sluice::policy::types::{Phase, Scope};

    pub(crate) fn get(scope: Scope, name: &str) -> Option<Vec<u8>> {
        scene(|scene| {
            let changed = scene.changes.of(scope).get(name);
            changed
                .or_else(|| scene.request.documents.of(scope).get(name))
                .cloned()
                .flatten()
        })
    }

    pub(crate) fn put(scope: Scope, name: &str, content: &[u8]) {
        change(scope, name, Some(content.to_vec()));
    }

    pub(crate) fn delete(scope: Scope, name: &str) {
        change(scope, name, None);
    }

    fn change(scope: Scope, name: &str, content: Option<Vec<u8>>) {
        scene(|scene| {
            assert!(
                matches!(scene.phase, Phase::Prepare | Phase::Serve),
                "documents change only in `prepare` and `serve`"
            );
            assert!(
                matches!(scope, Scope::Bucket | Scope::Object),
                "what a copy reads is only read"
            );
            scene.changes.put(scope, name, content);
        });
    }
}

pub(crate) mod identity {
    use std::fmt::Write;

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use hmac::{Hmac, KeyInit, Mac};
    use sha1::Sha1;
    use sha2::{Digest, Sha256};

    use super::{hmac_sha256, scene};
    use crate::bindings::sluice::policy::identity::Failure;
    use crate::bindings::sluice::policy::types::Account;

    pub(crate) fn sha256(data: &[u8]) -> String {
        hex(&Sha256::digest(data))
    }

    pub(crate) fn verify(
        access_key_id: &str,
        scope: &str,
        string_to_sign: &str,
        signature: &str,
    ) -> Result<Account, Failure> {
        let (account, secret) = credential(access_key_id)?;
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in scope.split('/') {
            key = hmac_sha256(&key, part.as_bytes());
        }
        if hex(&hmac_sha256(&key, string_to_sign.as_bytes())) == signature {
            Ok(account)
        } else {
            Err(Failure::Mismatch)
        }
    }

    pub(crate) fn verify_v2(
        access_key_id: &str,
        string_to_sign: &str,
        signature: &str,
    ) -> Result<Account, Failure> {
        let (account, secret) = credential(access_key_id)?;
        let mut mac =
            Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
        mac.update(string_to_sign.as_bytes());
        if BASE64_STANDARD.encode(mac.finalize().into_bytes()) == signature {
            Ok(account)
        } else {
            Err(Failure::Mismatch)
        }
    }

    fn credential(access_key_id: &str) -> Result<(Account, String), Failure> {
        scene(|scene| {
            scene.request.directory.iter().find_map(|known| {
                let secret = known.keys.get(access_key_id)?;
                Some((known.account.clone(), secret.clone()))
            })
        })
        .ok_or(Failure::UnknownKey)
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

pub(crate) mod directory {
    use super::scene;
    use crate::bindings::sluice::policy::types::Account;

    pub(crate) fn by_id(id: &str) -> Option<Account> {
        find(|account| account.id == id)
    }

    pub(crate) fn by_email(email: &str) -> Option<Account> {
        find(|account| account.email.as_deref() == Some(email))
    }

    fn find(fits: impl Fn(&Account) -> bool) -> Option<Account> {
        scene(|scene| {
            let mut accounts = scene.request.directory.iter().map(|known| &known.account);
            accounts.find(|account| fits(account)).cloned()
        })
    }
}

pub(crate) mod clock {
    pub(crate) fn now_ms() -> u64 {
        super::scene(|scene| scene.request.now_ms)
    }
}

pub(crate) mod counters {
    pub(crate) fn add(key: &str, n: u64, window_ms: u64) -> u64 {
        super::scene(|scene| {
            let now_ms = scene.request.now_ms;
            scene.request.counters.add(key, n, window_ms, now_ms)
        })
    }
}

pub(crate) mod creation {
    use super::scene;
    use crate::bindings::sluice::policy::creation::NewBucket;
    use crate::bindings::sluice::policy::types::{Operation, Phase};

    pub(crate) fn bucket() -> Option<NewBucket> {
        scene(|scene| {
            let is_being_made =
                (scene.phase, scene.request.operation) == (Phase::Prepare, Operation::CreateBucket);
            let mut bucket = scene.request.creation.clone();
            if let Some(plan) = &scene.plan {
                let named = |key: &String| {
                    let mut tags = scene.request.creation.tags.iter();
                    tags.any(|(own, _)| own == key)
                };
                let more = plan.tags.iter().filter(|(key, _)| !named(key));
                bucket.tags.extend(more.cloned());
                bucket.acl = plan.acl.clone().or(bucket.acl);
            }
            is_being_made.then_some(bucket)
        })
    }
}

pub(crate) mod placement {
    use super::scene;
    use crate::bindings::sluice::policy::placement::Plan;
    use crate::bindings::sluice::policy::types::{Operation, Phase};
    use crate::testing::{Ownership, Scene};

    fn creating(scene: &Scene, operations: &[Operation]) {
        assert_eq!(
            scene.phase,
            Phase::Prepare,
            "what is created is spoken of only in `prepare`"
        );
        let operation = scene.request.operation;
        assert!(
            operations.contains(&operation),
            "{operation:?} creates no such thing"
        );
    }

    /// How long its texts may be only the gateway knows.
    pub(crate) fn plan_bucket(plan: &Plan) -> Result<(), String> {
        scene(|scene| {
            creating(scene, &[Operation::CreateBucket]);
            scene.plan = Some(plan.clone());
        });
        Ok(())
    }

    pub(crate) fn give_to_bucket_owner() {
        scene(|scene| {
            let operations = [
                Operation::PutObject,
                Operation::PostObject,
                Operation::CopyObject,
                Operation::CreateMultipartUpload,
            ];
            creating(scene, &operations);
            scene.ownership = Ownership::BucketOwner;
        });
    }
}

pub(crate) mod metering {
    pub(crate) fn count(subject: &str, n: u64) {
        super::scene(|scene| scene.request.meter.count(subject, n));
    }
}

pub(crate) mod http {
    use super::scene;
    use crate::bindings::sluice::policy::http::{Answer, Call, Failure};

    pub(crate) fn fetch(endpoint: &str, call: &Call) -> Result<Answer, Failure> {
        scene(|scene| scene.request.services.fetch(endpoint, call))
    }
}

pub(crate) mod secrets {
    use super::scene;
    use crate::bindings::sluice::policy::secrets::Failure;

    pub(crate) fn hmac_sha256(secret: &str, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let key = scene(|scene| scene.request.secrets.get(secret).cloned());
        let key = key.ok_or(Failure::UnknownSecret)?;
        Ok(super::hmac_sha256(key.as_bytes(), data))
    }

    pub(crate) fn verify_hmac_sha256(
        secret: &str,
        data: &[u8],
        mac: &[u8],
    ) -> Result<bool, Failure> {
        Ok(hmac_sha256(secret, data)? == mac)
    }
}

pub(crate) mod log {
    use crate::bindings::sluice::policy::log::Level;

    /// What a plugin logs is shown with a test that fails.
    pub(crate) fn log(level: Level, message: &str) {
        println!("{level:?}: {message}");
    }
}

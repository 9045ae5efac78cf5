//! A guest that claims what is served by others, or means something else.

use std::sync::Arc;

use host::Chain;
use s3::{Operation, Scope};

use crate::guest::{self, Guest, People};

fn faults(guests: &[Guest]) -> Vec<String> {
    let host = guest::host();
    let steps = guests.iter().map(|guest| guest.step(host)).collect();
    let errors = Chain::new(steps, Arc::new(People))
        .err()
        .unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn no_operation_of_the_gateway_can_be_claimed() {
    for operation in Chain::NATIVE {
        let faults = faults(&[Guest::new().claim(*operation)]);
        let [fault] = &faults[..] else {
            panic!("{operation}: {faults:?}");
        };
        let words = format!("{operation} is served by the gateway itself");
        assert!(fault.contains(&words), "{fault}");
    }
}

#[test]
fn no_operation_or_sub_resource_has_two_that_serve_it() {
    let cors = || Guest::new().claim(Operation::GetBucketCors);
    let notice =
        || Guest::new().sub_resource("legal-notice", Scope::Bucket, &[Operation::GetSubResource]);
    for guests in [[cors(), cors()], [notice(), notice()]] {
        let faults = faults(&guests);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("served by step 0 already"), "{faults:?}");
    }
}

#[test]
fn a_name_that_means_something_to_s3_is_no_sub_resource_of_a_plugin() {
    let get = [Operation::GetSubResource];
    for (name, operations, refused) in [
        ("legal-notice", &get[..], false),
        ("acl", &get, true),
        ("cors", &get, true),
        ("policy", &get, true),
        ("versionId", &get, true),
        ("uploadId", &get, true),
        ("uploads", &get, true),
        ("delete", &get, true),
        ("partNumber", &get, true),
        ("prefix", &get, true),
        ("list-type", &get, true),
        ("response-content-type", &get, true),
        ("X-Amz-Signature", &get, true),
        ("x-amz-signature", &get, true),
        ("Signature", &get, true),
        ("", &get, true),
        ("a b", &get, true),
        ("a&acl", &get, true),
        (&"a".repeat(65), &get, true),
        ("legal-notice", &[], true),
        ("legal-notice", &[Operation::PutObject], true),
    ] {
        let guest = Guest::new().sub_resource(name, Scope::Bucket, operations);
        let loaded = guest::host().load(guest.source());
        assert_eq!(loaded.is_err(), refused, "{name:?} {operations:?}");
    }
}

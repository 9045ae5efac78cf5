//! A guest that says who made a request, without being asked, or of somebody
//! who is not there.

use host::{Grant, Principal};

use crate::guest::{Guest, chain, code, constant, run};

#[test]
fn a_principal_needs_the_grant_and_an_account() {
    let asserting = |id: &str| Guest::new().authenticate(|image| constant(image.account(id)));
    for (guest, expected) in [
        (asserting("bob"), "invalid"),
        (asserting("bob").grant(Grant::Directory), "invalid"),
        (asserting("bob").grant(Grant::Identity), "ok"),
        (asserting("mallory").grant(Grant::Identity), "invalid"),
        (asserting("").grant(Grant::Identity), "invalid"),
        (asserting("BOB").grant(Grant::Identity), "invalid"),
    ] {
        assert_eq!(code(&run(&chain(&[guest])).authenticate()), expected);
    }
}

#[test]
fn all_but_the_id_is_what_the_gateway_knows() {
    // It says that the display name is `bob`, and that there are no roles.
    let asserting = Guest::new()
        .authenticate(|image| constant(image.account("bob")))
        .grant(Grant::Identity);
    let identity = run(&chain(&[asserting])).authenticate().unwrap();
    let Principal::Account(account) = identity.principal else {
        panic!("{identity:?}");
    };
    assert_eq!(account.display_name, "BOB");
    assert_eq!(account.roles, ["provisioner"]);
    assert!(
        identity.stream_key.is_none(),
        "it did not verify a signature"
    );
}

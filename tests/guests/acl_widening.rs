//! A guest that attaches a wider ACL to whatever is uploaded.

use host::Grant;
use sluice_tests::{OTHER, ROOT, Request};

use crate::guest::{Guest, constant, constants};
use crate::support::gateway;

/// As the bundled plugin would have stored it for `public-read`.
const PUBLIC: &str = "<AccessControlPolicy><AccessControlList><Grant><Grantee>\
    <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>\
    <Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>";

#[test]
fn what_decides_is_the_document_of_the_plugin_that_decides() {
    let widening = |name: &str, scope: usize| {
        Guest::new()
            .grant(Grant::Documents)
            .import("documents", "put", "(param i32 i32 i32 i32 i32)")
            .prepare(|image| {
                let [name, name_len] = image.text(name);
                let [acl, len] = image.text(PUBLIC);
                let arguments = constants([scope, name, name_len, acl, len]);
                format!("(call $put {arguments}) {}", constant(image.ok()))
            })
            .only(host::Phase::Prepare, &[s3::Operation::PutObject])
    };
    for (name, scope, status) in [
        ("acl", 1, 200),
        // An upload leaves its bucket as it is.
        ("acl", 0, 403),
        ("acl/acl", 1, 403),
        ("../acl/acl", 1, 403),
    ] {
        let (server, _folder) = gateway("widens", &widening(name, scope), "grants: [documents]");
        server.bucket("bucket");
        server
            .send(&Request::put("/bucket/key", "secret").signed(&ROOT))
            .expect(status);
        for stranger in [Request::get("/bucket/key"), Request::get("/bucket")] {
            let denied = [stranger.clone(), stranger.signed(&OTHER)];
            for request in denied {
                server.send(&request).refused(403, "AccessDenied");
            }
        }
    }
}

//! The wire, operation by operation: raw requests, and the exact answers.

mod acl;
mod attributes;
mod auth;
mod bodies;
mod buckets;
mod checksums;
mod conditional_writes;
mod copy;
mod cors;
mod delete_objects;
mod framing;
#[path = "../../../gateway/host/tests/guest/mod.rs"]
mod guest;
mod http2_and_tls;
mod listing;
mod multipart;
mod objects;
mod owners;
mod plugins;
mod post_object;
mod provisioning;
mod request_payment;
mod response_headers;
mod routing;
mod services;
mod sub_resources;
mod tagging;
mod versions;

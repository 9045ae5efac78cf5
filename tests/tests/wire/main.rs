//! The wire, operation by operation: raw requests, and the exact answers.

mod acl;
mod auth;
mod bodies;
mod buckets;
mod copy;
mod delete_objects;
mod framing;
mod http2_and_tls;
mod listing;
mod multipart;
mod objects;
mod plugins;
mod routing;
mod sub_resources;

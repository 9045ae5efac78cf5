//! The same S3 over HTTP/2 and over TLS.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use sluice_tests::{ROOT, Request, Server, Settings};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The request in the terms of an HTTP library. Over HTTP/2 the host is part of the target.
fn translated(request: &Request, version: http::Version) -> http::Request<Full<Bytes>> {
    let host = request
        .headers
        .iter()
        .find(|(name, _)| name == "host")
        .map(|(_, host)| host.as_str());
    let uri: Uri = match version {
        http::Version::HTTP_2 => format!("http://{}{}", host.expect("a host"), request.target)
            .parse()
            .expect("a target"),
        _ => request.target.parse().expect("a target"),
    };
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(uri)
        .version(version);
    for (name, value) in &request.headers {
        if name != "host" || version != http::Version::HTTP_2 {
            builder = builder.header(name, value);
        }
    }
    builder
        .body(Full::from(request.body.clone()))
        .expect("a request")
}

async fn over_http2<S>(stream: S, requests: &[Request]) -> Vec<Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2 is spoken");
    let driver = tokio::spawn(connection);
    let mut replies = Vec::new();
    for request in requests {
        let reply = sender
            .clone()
            .send_request(translated(request, http::Version::HTTP_2))
            .await
            .expect("an answer");
        replies.push(collected(reply).await);
    }
    driver.abort();
    replies
}

async fn over_http1<S>(stream: S, request: &Request) -> Response<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/1.1 is spoken");
    let driver = tokio::spawn(connection);
    let reply = sender
        .send_request(translated(request, http::Version::HTTP_11))
        .await
        .expect("an answer");
    let reply = collected(reply).await;
    driver.abort();
    reply
}

async fn collected(reply: Response<hyper::body::Incoming>) -> Response<Bytes> {
    let (parts, body) = reply.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Response::from_parts(parts, body)
}

fn conversation(bucket: &str) -> Vec<Request> {
    let body = vec![42; 300_000];
    vec![
        Request::put(&format!("/{bucket}"), "").signed(&ROOT),
        Request::put(&format!("/{bucket}/key"), &body).signed(&ROOT),
        Request::get(&format!("/{bucket}/key"))
            .header("range", "bytes=1-299999")
            .signed(&ROOT),
        Request::head(&format!("/{bucket}/key")).signed(&ROOT),
        Request::get(&format!("/{bucket}/missing")).signed(&ROOT),
        Request::put(&format!("/{bucket}/denied"), &body),
        Request::delete(&format!("/{bucket}/key")).signed(&ROOT),
    ]
}

fn check(replies: &[Response<Bytes>]) {
    let statuses: Vec<_> = replies
        .iter()
        .map(|reply| reply.status().as_u16())
        .collect();
    assert_eq!(statuses, [200, 200, 206, 200, 404, 403, 204]);
    assert_eq!(replies[2].body().len(), 299_999);
    assert_eq!(replies[3].headers()["content-length"], "300000");
    assert!(replies[3].body().is_empty());
    for reply in replies {
        assert!(
            reply.headers().contains_key("x-amz-request-id"),
            "{reply:?}"
        );
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn http2_is_spoken_to_who_begins_with_it() {
    let server = Server::shared();
    block_on(async {
        let stream = TcpStream::connect(server.address)
            .await
            .expect("the gateway accepts");
        check(&over_http2(stream, &conversation("over-http2")).await);
    });
}

#[test]
fn tls_offers_both_protocols() {
    let certified =
        rcgen::generate_simple_self_signed(vec!["s3.test".to_owned()]).expect("a certificate");
    let pem = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let server = Server::start(&Settings {
        tls: Some(pem),
        ..Settings::default()
    });
    let mut roots = RootCertStore::empty();
    roots
        .add(certified.cert.der().clone())
        .expect("a certificate");
    let connect = async |protocols: &[&str]| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS");
        let mut config = config
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(server.address)
            .await
            .expect("the gateway accepts");
        let name = ServerName::try_from("s3.test").expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("the certificate is good")
    };
    block_on(async {
        let stream = connect(&["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        check(&over_http2(stream, &conversation("over-tls")).await);

        for protocols in [&["http/1.1"][..], &[]] {
            let stream = connect(protocols).await;
            let reply = over_http1(stream, &Request::head("/over-tls").signed(&ROOT)).await;
            assert_eq!(reply.status(), 200);
        }

        // What is made over TLS is found over TLS.
        let post = async |target: &str, body: &str| {
            let request = Request::post(target, body).signed(&ROOT);
            let replies = over_http2(connect(&["h2"]).await, &[request]).await;
            String::from_utf8(replies[0].body().to_vec()).expect("text")
        };
        let within = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>")).expect("an element");
            rest.split_once('<').expect("its end").0.to_owned()
        };
        let begun = post("/over-tls/parts?uploads", "").await;
        let upload = format!("/over-tls/parts?uploadId={}", within(&begun, "UploadId"));
        let part = Request::put(&format!("{upload}&partNumber=1"), "x").signed(&ROOT);
        over_http2(connect(&["h2"]).await, &[part]).await;
        let parts = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
            "9dd4e461268c8034f5c8564e155c67a6",
        );
        let done = post(&upload, &parts).await;
        assert_eq!(within(&done, "Location"), "https://s3.test/over-tls/parts");

        // Plain HTTP on a TLS port gets no answer, and harms nobody.
        let stream = TcpStream::connect(server.address)
            .await
            .expect("the gateway accepts");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("bytes are sent");
        let driver = tokio::spawn(connection);
        let plain = translated(&Request::get("/"), http::Version::HTTP_11);
        assert!(sender.send_request(plain).await.is_err());
        let _ = driver.await;
        let stream = connect(&["h2"]).await;
        assert_eq!(
            over_http2(stream, &[Request::head("/over-tls").signed(&ROOT)]).await[0].status(),
            200
        );
    });
}

#[tokio::test]
async fn a_client_that_grants_a_response_no_room_is_dropped() {
    let server = Server::start(&Settings {
        limits: "idle_timeout: 60s, body_timeout: 400ms".into(),
        ..Settings::default()
    });
    let path = server.bucket("windows") + "/object";
    server.object(&path, vec![1; 1_000_000]).expect(200);

    let stream = TcpStream::connect(server.address)
        .await
        .expect("a connection");
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(0)
        .handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/2 is spoken");
    let driver = tokio::spawn(connection);
    let request = translated(&Request::get(&path).signed(&ROOT), http::Version::HTTP_2);
    let reply = sender.send_request(request).await.expect("an answer");
    assert_eq!(reply.status(), 200);

    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), driver).await;
    assert!(ended.is_ok(), "the connection is still there");
    drop(reply);
}

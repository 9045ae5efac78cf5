//! A gateway in this process, with six drives in a folder of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::{self, JoinHandle};

use sluice::reload::Reloader;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Connection, OTHER, ROOT, Reply, Request};

/// What differs from the usual gateway of the tests.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Members of `limits`, in YAML's flow style.
    pub limits: String,
    /// A certificate and a key in PEM: with them the listener speaks TLS.
    pub tls: Option<(String, String)>,
    /// `plugins` and `chain` in YAML, instead of the default ones.
    pub policy: String,
    /// More accounts, in YAML, one in each line.
    pub accounts: String,
}

#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    folder: TempDir,
    reloader: Weak<Reloader>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

const FILE: &str = "test.yaml";

/// The gateway that tests share while any of them runs.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start(&Settings::default()));
        *shared = Arc::downgrade(&server);
        server
    }

    pub fn start(settings: &Settings) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sluice-test-")
            .tempdir()
            .expect("a temporary folder");
        let file = folder.path().join(FILE);
        fs::write(&file, settings.yaml(folder.path())).expect("the folder is writable");
        let config = config::Config::load(&file)
            .unwrap_or_else(|report| panic!("the configuration of the tests is wrong:\n{report}"));
        let (started, running) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let running = sluice::serve::start(&config).await;
                let running =
                    running.unwrap_or_else(|error| panic!("the gateway does not start: {error}"));
                let admin = running.admin.expect("the private listener is configured");
                started
                    .send((
                        running.addresses[0],
                        admin,
                        Arc::downgrade(running.reloader()),
                    ))
                    .expect("the test waits for it");
                // An error is as good as a signal: the test is gone.
                let _ = stopped.await;
                running.stop().await;
            });
        });
        let (address, admin, reloader) = running.recv().expect("the gateway starts");
        Self {
            address,
            admin,
            folder,
            reloader,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The configuration, which is read again at each reload.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// Changes the text of the configuration, as an editor does, and does not
    /// reload it.
    pub fn edit(&self, change: impl FnOnce(&str) -> String) {
        let text = fs::read_to_string(self.file()).expect("the configuration is there");
        let unfinished = self.file().with_extension("unfinished");
        fs::write(&unfinished, change(&text)).expect("the folder is writable");
        fs::rename(unfinished, self.file()).expect("the folder is writable");
    }

    /// Reloads from now on whenever a file changes.
    pub fn watch(&self) {
        let reloader = self.reloader.upgrade().expect("the gateway runs");
        reloader.watch().expect("there can be one thread more");
    }

    /// Asks for a reload, and waits for what comes of it.
    #[track_caller]
    pub fn reload(&self) -> Reply {
        let request = Request::post("/reload", "").header("x-sluice-reload", "yes");
        self.ask_admin(&request)
    }

    /// Sends one request to the private listener, by its address.
    #[track_caller]
    pub fn ask_admin(&self, request: &Request) -> Reply {
        let request = request.clone().host(&self.admin.to_string());
        let mut connection = Connection::open(self.admin);
        let written = connection.write(&request.bytes());
        let reply = connection.any_reply(&request.method, &request.target);
        reply.unwrap_or_else(|error| panic!("{}: {error}, after {written:?}", request.target))
    }

    /// Where the drives are.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Sends one request on a connection of its own.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Reply {
        self.connect().send(request)
    }

    /// Makes a bucket of `root`, and returns its path.
    #[track_caller]
    pub fn bucket(&self, name: &str) -> String {
        let path = format!("/{name}");
        self.send(&Request::put(&path, "").signed(&ROOT))
            .expect(200);
        path
    }

    /// Stores an object of `root`.
    #[track_caller]
    pub fn object(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send(&Request::put(path, body).signed(&ROOT))
            .expect(200)
    }

    /// What is stored under a path, if anything is.
    #[track_caller]
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let reply = self.send(&Request::get(path).signed(&ROOT));
        match reply.status {
            200 => Some(reply.body),
            _ => {
                reply.refused(404, "NoSuchKey");
                None
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        // A gateway that panicked has said so in the output of the test.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Settings {
    fn yaml(&self, folder: &Path) -> String {
        let tls = self.tls.as_ref().map(|(certificate, key)| {
            fs::write(folder.join("cert.pem"), certificate).expect("the folder is writable");
            fs::write(folder.join("key.pem"), key).expect("the folder is writable");
            "    tls: {certificate: cert.pem, key: key.pem}\n"
        });
        format!(
            "version: 1
listeners:
  - address: 127.0.0.1:0
    domain: s3.test
    limits: {{{limits}}}
{tls}admin: {{address: 127.0.0.1:0}}
storage:
  data: .
  sets:
    - {{drives: [d1, d2, d3, d4, d5, d6], data_shards: 4, parity_shards: 2}}
accounts:
  - id: root
    display_name: Root
    email: root@example.com
    roles: [bucket-provisioner]
    keys: [{{access_key: {root}, secret_key: {root_secret}}}]
  - id: other
    display_name: Other
    email: other@example.com
    roles: [bucket-provisioner]
    keys: [{{access_key: {other}, secret_key: {other_secret}}}]
{accounts}{policy}",
            limits = self.limits,
            tls = tls.unwrap_or_default(),
            root = ROOT.access,
            root_secret = ROOT.secret,
            other = OTHER.access,
            other_secret = OTHER.secret,
            accounts = self.accounts,
            policy = self.policy,
        )
    }
}

//! Real clients with their default settings, one test each. What they do is in
//! `clients/*.py`, and what pages in a browser do in `clients/browser`; this file
//! gives them a gateway, and an environment that it makes where there is none yet.
//!
//! A client that cannot be had is skipped, visibly, unless the variable
//! `SLUICE_TEST_CLIENTS` is `require`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use sluice_tests::{OTHER, ROOT, Request, Server, Settings};

/// For one script. Without optimisation the slowest takes about a minute.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(600);
const SETUP_TIMEOUT: Duration = Duration::from_secs(600);

#[test]
fn boto3_does_everything() {
    run("with_boto3.py", &[]);
}

#[test]
fn aws_does_everything() {
    run("with_aws.py", &[]);
}

#[test]
fn minio_does_everything() {
    run("with_minio.py", &[]);
}

#[test]
fn forms_do_everything() {
    run("with_forms.py", &[]);
}

#[test]
fn s3cmd_does_everything() {
    run("with_s3cmd.py", &["s3cmd"]);
}

#[test]
fn rclone_does_everything() {
    run("with_rclone.py", &["rclone"]);
}

#[test]
fn boto3_does_everything_over_https() {
    let Some(python) = python() else { return };
    let certified =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])
            .expect("a certificate");
    let pem = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let server = Server::start(&Settings {
        tls: Some(pem),
        ..Settings::default()
    });
    let endpoint = format!("https://{}", server.address);
    let authority = server.data().join("cert.pem");
    // The bucket that all of them list is filled over the same connection.
    script(python, "seed.py", &endpoint, Some(&authority));
    script(python, "with_boto3.py", &endpoint, Some(&authority));
}

#[test]
fn pages_in_a_browser_do_what_the_rules_of_a_bucket_allow() {
    let Some(folder) = browser() else { return };
    let server = Server::start(&Settings::default());
    let bucket = |name: &str, rule: &str| {
        let path = server.bucket(name);
        let rules = format!("<CORSConfiguration><CORSRule>{rule}</CORSRule></CORSConfiguration>");
        let put = Request::put(&format!("{path}?cors"), rules).with_md5();
        server.send(&put.signed(&ROOT)).expect(200);
        path
    };
    let public = |path: &str, content: &str| {
        let put = Request::put(path, content).header("x-amz-acl", "public-read");
        server.send(&put.signed(&ROOT)).expect(200);
    };
    let pages = bucket(
        "pages",
        "<AllowedOrigin>http://*.example</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule><CORSRule>\
         <AllowedOrigin>http://pages.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
         <AllowedMethod>PUT</AllowedMethod><AllowedHeader>content-type</AllowedHeader>\
         <AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>",
    );
    let everybody = bucket(
        "every-page",
        "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>",
    );
    public(&format!("{pages}/public"), "for everybody");
    public(&format!("{everybody}/served"), "for every page");
    let host = server.address.to_string();
    let signed = |method: &str, key: &str, headers: &[(&str, &str)]| {
        let request = Request::new(method, &format!("{pages}/{key}")).host(&host);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        format!("http://{host}{}", request.presigned(&ROOT).target)
    };
    let typed = [
        ("content-type", "text/x-typed"),
        ("x-amz-meta-colour", "blue"),
    ];
    let mut command = Command::new("node");
    command
        .arg("pages.mjs")
        .current_dir(folder)
        .env("PUBLIC", format!("http://{host}{pages}/public"))
        .env("SERVED", format!("http://{host}{everybody}/served"))
        .env("MISSING", signed("GET", "missing", &[]))
        .env("UPLOAD", signed("PUT", "upload", &typed))
        .env("DELETION", signed("DELETE", "public", &[]))
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env("NO_PROXY", "127.0.0.1");
    let (success, output) =
        bounded(&mut command, SCRIPT_TIMEOUT).unwrap_or_else(|error| panic!("node: {error}"));
    println!("{output}");
    assert!(success, "pages.mjs failed:\n{output}");

    // What the browser refused has not come to the gateway.
    let written = server.content(&format!("{pages}/upload"));
    assert_eq!(written.as_deref(), Some(&b"written by a page"[..]));
    assert!(server.content(&format!("{pages}/public")).is_some());
}

/// A folder with the script and the browser that runs it, which is fetched once.
fn browser() -> Option<PathBuf> {
    for program in ["node", "npm"] {
        if !in_path(program) {
            skip(&format!(
                "{program} is not in PATH; install it with `apt-get install nodejs npm`"
            ));
            return None;
        }
    }
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-browser");
    fs::create_dir_all(&work).expect("the folder for tests is writable");
    for name in ["package.json", "pages.mjs"] {
        fs::copy(clients().join("browser").join(name), work.join(name))
            .expect("the folder for tests is writable");
    }
    if !work.join("node_modules/jsdom/package.json").is_file() {
        let mut install = Command::new("npm");
        install.current_dir(&work);
        install.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--silent",
        ]);
        let installed = bounded(&mut install, SETUP_TIMEOUT);
        if !matches!(installed, Ok((true, _))) {
            skip(&format!("npm cannot fetch jsdom: {installed:?}"));
            return None;
        }
    }
    Some(work)
}

fn run(name: &str, programs: &[&str]) {
    let Some(python) = python() else { return };
    for program in programs {
        if !in_path(program) {
            return skip(&format!(
                "{program} is not in PATH; install it with `apt-get install {program}`"
            ));
        }
    }
    let server = seeded(python);
    script(python, name, &format!("http://{}", server.address), None);
}

/// The gateway that the scripts share, with the bucket that they all list.
fn seeded(python: &Path) -> Arc<Server> {
    static SEEDED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut seeded = SEEDED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(server) = seeded.upgrade() {
        return server;
    }
    let server = Arc::new(Server::start(&Settings::default()));
    script(
        python,
        "seed.py",
        &format!("http://{}", server.address),
        None,
    );
    *seeded = Arc::downgrade(&server);
    server
}

fn script(python: &Path, name: &str, endpoint: &str, authority: Option<&Path>) {
    let mut command = Command::new(python);
    command
        .arg(clients().join(name))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .env("SLUICE_ENDPOINT", endpoint)
        .env("SLUICE_ACCESS_KEY", ROOT.access)
        .env("SLUICE_SECRET_KEY", ROOT.secret)
        .env("SLUICE_OTHER_ACCESS_KEY", OTHER.access)
        .env("SLUICE_OTHER_SECRET_KEY", OTHER.secret)
        .env("SLUICE_REGION", ROOT.region)
        .env_remove("AWS_PROFILE")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env("NO_PROXY", "127.0.0.1");
    if let Some(authority) = authority {
        command.env("SLUICE_CA", authority);
    }
    let (success, output) =
        bounded(&mut command, SCRIPT_TIMEOUT).unwrap_or_else(|error| panic!("{name}: {error}"));
    println!("{name}:\n{output}");
    assert!(success, "{name} failed:\n{output}");
}

/// The Python of an environment with the clients of `requirements.txt`, if one
/// can be had.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(environment) {
        Ok(python) => Some(python),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

fn environment() -> Result<PathBuf, String> {
    let requirements = fs::read_to_string(clients().join("requirements.txt"))
        .map_err(|error| error.to_string())?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-venv");
    let (python, stamp) = (folder.join("bin/python"), folder.join("requirements.txt"));
    if python.exists()
        && fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements)
    {
        return Ok(python);
    }
    if !in_path("python3") {
        return Err(
            "python3 is not in PATH; install it with `apt-get install python3 python3-venv`".into(),
        );
    }
    let setup = |what: &str, command: &mut Command| match bounded(command, SETUP_TIMEOUT) {
        Ok((true, _)) => Ok(()),
        Ok((false, output)) => Err(format!("{what} failed:\n{output}")),
        Err(error) => Err(format!("{what} failed: {error}")),
    };
    // One that was interrupted, or is of other versions, is made anew.
    let _ = fs::remove_dir_all(&folder);
    setup(
        "`python3 -m venv` (install it with `apt-get install python3-venv`)",
        Command::new("python3").args(["-m", "venv"]).arg(&folder),
    )?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ])
    .arg(clients().join("requirements.txt"));
    setup(
        "`pip install` of tests/clients/requirements.txt (install its packages from PyPI)",
        &mut pip,
    )?;
    fs::write(&stamp, requirements).map_err(|error| error.to_string())?;
    Ok(python)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn skip(reason: &str) {
    assert!(
        std::env::var("SLUICE_TEST_CLIENTS").as_deref() != Ok("require"),
        "SLUICE_TEST_CLIENTS=require, but {reason}"
    );
    // Past the test runner's capture: who runs the tests shall see it.
    let line = format!("\nskipped: {reason}\n");
    let _ = io::Write::write_all(&mut io::stderr(), line.as_bytes());
}

/// Runs a command to its end or to the end of its time. Returns whether it
/// succeeded, and what it said.
fn bounded(command: &mut Command, timeout: Duration) -> io::Result<(bool, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let outputs = [
        child.stdout.take().map(reader),
        child.stderr.take().map(reader),
    ];
    let status = wait(&mut child, timeout);
    let mut said = String::new();
    for output in outputs.into_iter().flatten() {
        said.push_str(&output.join().unwrap_or_default());
    }
    Ok((status?, said))
}

fn reader(mut output: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child, timeout: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if begun.elapsed() > timeout {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it did not end within {timeout:?}"),
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

//! A compiler for the sandbox: that of the machine, where it has the target;
//! else Debian's `rustc-web`, unpacked into a folder of the user, with which the
//! standard library is compiled from its sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::compile::TARGET;

/// What to do where nothing can be done automatically.
const HELP: &str = "Building plugins needs a Rust compiler for wasm32-unknown-unknown. Either add the \
target to your toolchain (`rustup target add wasm32-unknown-unknown`), or, on Debian and Ubuntu, make \
`apt-get download rustc-web` work (`apt-get update`, as root). The gateway itself needs neither: the \
built plugins are in plugins/dist.";

#[derive(Debug)]
pub(crate) struct Toolchain {
    /// What `rustc --version` says.
    pub(crate) version: String,
    /// Where it lies.
    pub(crate) root: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Cargo uses it by itself.
    Own,
    /// Unpacked from Debian packages.
    Debian { linker: PathBuf },
}

/// Finds a compiler, fetching one if need be.
pub(crate) fn find() -> Result<Toolchain> {
    let rustc = || Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let sysroot = PathBuf::from(output(rustc().args(["--print", "sysroot"]))?.trim());
    let asked = std::env::var_os("SLUICE_WASM_TOOLCHAIN").map(PathBuf::from);
    if asked.is_none()
        && sysroot
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib")
            .is_dir()
    {
        return Ok(Toolchain {
            version: output(rustc().arg("--version"))?.trim().to_owned(),
            root: sysroot,
            kind: Kind::Own,
        });
    }
    let root = match asked {
        Some(root) => root,
        None => cache()?.join("sluice/wasm-toolchain"),
    };
    if !root.join("usr/bin/rustc").is_file() {
        fetch(&root)?;
    }
    // The compiler resolves links, and the paths it writes are remapped by their beginning.
    let root = root
        .canonicalize()
        .map_err(|error| format!("{}: {error}", root.display()))?;
    let linker = linker(&sysroot)?;
    let mut toolchain = Toolchain {
        version: String::new(),
        root,
        kind: Kind::Debian { linker },
    };
    let mut rustc = Command::new(toolchain.rustc());
    toolchain.apply(&mut rustc);
    toolchain.version = output(rustc.arg("--version"))?.trim().to_owned();
    Ok(toolchain)
}

impl Toolchain {
    /// Makes a cargo use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        let Kind::Debian { linker } = &self.kind else {
            return;
        };
        cargo
            .env("RUSTC", self.rustc())
            .env(
                "LD_LIBRARY_PATH",
                self.root.join("usr/lib").join(multiarch()),
            )
            // The standard library may use what is unstable, and so must cargo.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        if cargo.get_program() != self.rustc() {
            // Without features: there is nobody to read a backtrace.
            cargo.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]);
        }
    }

    fn rustc(&self) -> PathBuf {
        self.root.join("usr/bin/rustc")
    }
}

/// Downloads and unpacks the packages. They are not installed.
fn fetch(root: &Path) -> Result<()> {
    eprintln!(
        "no {TARGET} in the toolchain: fetching Debian's rustc-web into {}",
        root.display()
    );
    for tool in ["apt-cache", "apt-get", "dpkg-deb"] {
        if Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            return Err(format!("there is no `{tool}` here. {HELP}"));
        }
    }
    // Another run may be doing the same: whoever is done first wins.
    let partial = PathBuf::from(format!("{}.partial-{}", root.display(), std::process::id()));
    let fetched = unpack(&partial).and_then(|()| {
        if root.join("usr/bin/rustc").is_file() {
            return Ok(());
        }
        std::fs::rename(&partial, root).map_err(|error| format!("{}: {error}", root.display()))
    });
    if partial.exists() {
        std::fs::remove_dir_all(&partial)
            .map_err(|error| format!("{}: {error}", partial.display()))?;
    }
    fetched
}

fn unpack(folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    std::fs::create_dir_all(&packages)
        .map_err(|error| format!("{}: {error}", packages.display()))?;
    for package in packages_of_debian()? {
        eprintln!("  downloading {package}");
        run(Command::new("apt-get")
            .args(["download", "--quiet=2", &package])
            .current_dir(&packages))
        .map_err(|error| format!("{error}. {HELP}"))?;
    }
    let entries =
        std::fs::read_dir(&packages).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    for entry in entries.map_err(|error| format!("{}: {error}", packages.display()))? {
        eprintln!("  unpacking {}", entry.file_name().to_string_lossy());
        run(Command::new("dpkg-deb")
            .arg("-x")
            .arg(entry.path())
            .arg(folder))?;
    }
    std::fs::remove_dir_all(&packages).map_err(|error| format!("{}: {error}", packages.display()))
}

/// `name=version` of the compiler and everything that it needs to run.
fn packages_of_debian() -> Result<Vec<String>> {
    let rustc = Candidate::find("rustc-web")?;
    let version = rustc.version.as_str();
    let development = Candidate::find("libstd-rust-web-dev")?;
    let library = development.dependency("libstd-rust-web-")?;
    let llvm = Candidate::find(&library)?.dependency("libllvm")?;
    let mut packages: Vec<String> = ["rustc-web", "libstd-rust-web-dev", &library, "rust-web-src"]
        .iter()
        .map(|package| format!("{package}={version}"))
        .collect();
    packages.push(llvm);
    Ok(packages)
}

/// A package as apt would install it.
struct Candidate {
    name: String,
    version: String,
    depends: String,
}

impl Candidate {
    fn find(name: &str) -> Result<Self> {
        let shown = output(Command::new("apt-cache").args(["show", "--no-all-versions", name]))
            .map_err(|error| format!("{error}. {HELP}"))?;
        let field = |key: &str| {
            let mut lines = shown.lines();
            lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.to_owned()))
        };
        match (field("Version"), field("Depends")) {
            (Some(version), Some(depends)) => Ok(Self {
                name: name.to_owned(),
                version,
                depends,
            }),
            _ => Err(format!("apt knows no package {name}. {HELP}")),
        }
    }

    /// The name of the dependency that begins so.
    fn dependency(&self, beginning: &str) -> Result<String> {
        let mut names = self
            .depends
            .split([',', '|'])
            .filter_map(|one| one.split_whitespace().next());
        let found = names.find(|name| name.starts_with(beginning));
        found
            .map(str::to_owned)
            .ok_or_else(|| format!("the package {} needs no {beginning}*. {HELP}", self.name))
    }
}

/// The linker of the machine's own toolchain; Debian's compiler comes without.
fn linker(sysroot: &Path) -> Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let own = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
    if own.is_file() {
        return Ok(own);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| ["rust-lld", "wasm-ld"].map(|name| folder.join(name)))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            format!(
                "no linker for WebAssembly: neither {} nor a wasm-ld in PATH (Debian: lld)",
                own.display()
            )
        })
}

fn multiarch() -> String {
    format!("{}-linux-gnu", std::env::consts::ARCH)
}

fn cache() -> Result<PathBuf> {
    match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) if !cache.is_empty() => Ok(PathBuf::from(cache)),
        _ => Ok(home()?.join(".cache")),
    }
}

pub(crate) fn home() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from)
        .ok_or_else(|| "HOME is not set".to_owned())
}

/// A cargo that nothing of the surroundings influences.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        let ours = [
            "RUSTC",
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
        ];
        if ours.contains(&key.as_ref())
            || [
                "CARGO_PROFILE_",
                "CARGO_BUILD_",
                "CARGO_PKG_",
                "CARGO_UNSTABLE_",
            ]
            .iter()
            .any(|start| key.starts_with(start))
        {
            command.env_remove(key.as_ref());
        }
    }
    command
}

/// Runs a command that must succeed, showing what it says.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| format!("cannot run {}: {error}", name(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status})", name(command)))
    }
}

/// What a command that must succeed prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", name(command)))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!(
            "{} failed ({}): {}",
            name(command),
            done.status,
            said.trim()
        ));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("{} printed no text", name(command)))
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let first = command.get_args().next().unwrap_or_default();
    format!(
        "`{} {}`",
        program.file_name().unwrap_or_default().to_string_lossy(),
        first.to_string_lossy()
    )
}

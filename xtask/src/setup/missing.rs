//! What each task needs, and which of it is not on this machine.

use std::path::Path;

use super::{MODSECURITY, Setup, environment, observatory};
use crate::command::{self, cargo, command, is_installed};

/// A program that a Debian package brings.
struct Debian {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

/// A program that cargo builds.
pub(super) struct Tool {
    program: &'static str,
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) options: &'static [&'static str],
    purpose: &'static str,
}

const COMPILER: Debian = Debian {
    program: "cc",
    package: "build-essential",
    purpose: "the C compiler that aws-lc and mimalloc are built with",
};

const FOR_TESTS: [Debian; 9] = [
    Debian {
        program: "slowhttptest",
        package: "slowhttptest",
        purpose: "slow clients in the tests of the gateway",
    },
    Debian { program: "curl", package: "curl", purpose: "an HTTP client that is not ours" },
    Debian { program: "nghttp", package: "nghttp2-client", purpose: "an HTTP/2 client that is not ours" },
    Debian { program: "redis-server", package: "redis-server", purpose: "the store of shared limits" },
    Debian { program: "redis-cli", package: "redis-tools", purpose: "makes a cluster of such stores" },
    Debian { program: "pg_createcluster", package: "postgresql", purpose: "the store of many gateways" },
    Debian { program: "rsyslogd", package: "rsyslog", purpose: "a receiver of events" },
    Debian {
        program: "/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so",
        package: "rsyslog-gnutls",
        purpose: "lets it speak TLS",
    },
    Debian { program: "npm", package: "npm", purpose: "installs and runs Mozilla's HTTP Observatory" },
];

/// libFuzzer, which the fuzz targets are linked with, is C++, and so is what asks libmodsecurity.
const CXX_COMPILER: Debian = Debian {
    program: "c++",
    package: "build-essential",
    purpose: "the C++ compiler that libFuzzer and the reference of `differential` are built with",
};

const NGINX: Debian = Debian {
    program: "nginx",
    package: "nginx-light",
    purpose: "the peer of the comparison, and its upstream",
};

const FOR_BENCHES: [Debian; 4] = [
    NGINX,
    Debian { program: "wrk", package: "wrk", purpose: "HTTP/1.1 load" },
    Debian { program: "h2load", package: "nghttp2-client", purpose: "HTTP/2 load" },
    Debian { program: "openssl", package: "openssl", purpose: "the certificate and token of the comparison" },
];

const NEXTEST: Tool = Tool {
    program: "cargo-nextest",
    name: "cargo-nextest",
    version: "0.9.143",
    options: &[],
    purpose: "runs the tests",
};

const MDBOOK: Tool = Tool {
    program: "mdbook",
    name: "mdbook",
    version: "0.5.4",
    options: &["--no-default-features", "--features", "search"],
    purpose: "builds the manual",
};

const DENY: Tool = Tool {
    program: "cargo-deny",
    name: "cargo-deny",
    version: "0.20.2",
    options: &[],
    purpose: "checks licences and sources of dependencies",
};

const FUZZ: Tool = Tool {
    program: "cargo-fuzz",
    name: "cargo-fuzz",
    version: "0.13.2",
    options: &[],
    purpose: "builds and runs the fuzz targets",
};

/// What fuzz targets are instrumented with is not in a stable toolchain.
const NIGHTLY: &str = "nightly";

/// With their versions, the environment is renewed when one changes, and what each is for.
const PYTHON: [(&str, &str); 9] = [
    ("schemathesis==4.32.5", "tests the admin API"),
    ("http-message-signatures==3.0.0", "signs and verifies requests"),
    ("authlib==1.9.9", "gets tokens from the gateway"),
    ("requests==2.34.2", "carries them"),
    ("ocsf-json-schema==1.2.0", "knows the schema of events"),
    ("jsonschema==4.26.0", "validates them by it"),
    ("pycef==1.11", "reads CEF"),
    ("syslog-rfc5424-parser==0.3.2", "reads syslog"),
    ("opentelemetry-proto==1.45.2", "reads log records"),
];

/// Parts of the toolchain that a minimal one lacks.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// What has to be installed.
#[derive(Default)]
pub(super) struct Missing {
    pub(super) debian: Vec<&'static str>,
    pub(super) tools: Vec<Tool>,
    pub(super) python: Vec<&'static str>,
    pub(super) observatory: bool,
    pub(super) components: Vec<&'static str>,
    pub(super) toolchain: Option<&'static str>,
    lines: Vec<String>,
}

impl Missing {
    pub(super) fn find(setup: &Setup) -> Self {
        let mut missing = Self::default();
        missing.debian(COMPILER);
        if !setup.build {
            for package in FOR_TESTS {
                missing.debian(package);
            }
            missing.tool(NEXTEST);
            missing.python();
            missing.observatory();
        }
        if setup.benches {
            for package in FOR_BENCHES {
                missing.debian(package);
            }
            missing.modsecurity();
        }
        if setup.differential {
            missing.debian(CXX_COMPILER);
            missing.debian(NGINX);
            missing.modsecurity();
            missing.modsecurity_headers();
        }
        if setup.docs {
            missing.tool(MDBOOK);
        }
        if setup.lint {
            missing.debian(CXX_COMPILER);
            missing.tool(DENY);
            missing.components();
        }
        if setup.fuzz {
            missing.debian(CXX_COMPILER);
            missing.tool(FUZZ);
            missing.nightly();
        }
        missing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// One line for each, with what it is for.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    fn debian(&mut self, Debian { program, package, purpose }: Debian) {
        if !is_installed(program) {
            self.lines.push(format!("Debian's {package}: {purpose}"));
            if !self.debian.contains(&package) {
                self.debian.push(package);
            }
        }
    }

    /// A module of nginx, not a program.
    fn modsecurity(&mut self) {
        if !Path::new(MODSECURITY).is_file() {
            let package = "libnginx-mod-http-modsecurity";
            self.lines.push(format!("Debian's {package}: the peer of the rule engine"));
            self.debian.push(package);
        }
    }

    /// To be linked with, not a program either.
    fn modsecurity_headers(&mut self) {
        if !Path::new("/usr/include/modsecurity/modsecurity.h").is_file() {
            let package = "libmodsecurity-dev";
            self.lines
                .push(format!("Debian's {package}: the functions that the rule engine is compared with"));
            self.debian.push(package);
        }
    }

    fn tool(&mut self, tool: Tool) {
        if !is_installed(tool.program) {
            self.lines.push(format!("{} {} from crates.io: {}", tool.name, tool.version, tool.purpose));
            self.tools.push(tool);
        }
    }

    fn python(&mut self) {
        let installed = command::output(command(environment("pip"), &["freeze"])).unwrap_or_default();
        let installed = String::from_utf8_lossy(&installed);
        for (package, purpose) in PYTHON {
            if !installed.lines().any(|line| line.eq_ignore_ascii_case(package)) {
                self.lines.push(format!("{package} from PyPI, into `.venv`: {purpose}"));
                self.python.push(package);
            }
        }
        if self.python.is_empty() {
            return;
        }
        if command::output(command("python3", &["-c", "import ensurepip, venv"])).is_err() {
            self.lines.push("Debian's python3-venv: makes `.venv`".into());
            self.debian.push("python3-venv");
        }
    }

    fn observatory(&mut self) {
        if !observatory::is_installed() {
            self.lines
                .push(format!("{} from npm, into `target`: tests security headers", observatory::package()));
            self.observatory = true;
        }
    }

    fn nightly(&mut self) {
        if command::output(command("rustup", &["run", NIGHTLY, "rustc", "--version"])).is_err() {
            self.lines.push(format!("rustup's {NIGHTLY} toolchain: instruments the fuzz targets"));
            self.toolchain = Some(NIGHTLY);
        }
    }

    fn components(&mut self) {
        for (command, component) in COMPONENTS {
            if command::output(cargo(&[command, "--version"])).is_err() {
                self.lines.push(format!("rustup's {component}: part of `lint`"));
                self.components.push(component);
            }
        }
    }
}

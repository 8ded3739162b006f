//! `bartizan rules install`.

mod archive;
mod fetch;
mod release;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::{
    document::hexadecimal,
    output::{FAINT, GOOD, print, styled},
    state::StateDirectory,
};

/// Install a release of the OWASP Core Rule Set, where `waf: crs` finds it.
///
/// Takes the release's archive from the project's site, another URL or a file, and unpacks the rules into the state
/// directory once something vouches for them: the SHA-256 that you give, for 4.28.0 what is known here of its files, or a
/// file beside the archive that is named like it with `.sha256` behind. The project's page of a release shows the SHA-256
/// of each archive of it, and its signature.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan rules install crs@4.28.0\n  \
                        bartizan rules install crs@4.28.0 --from coreruleset-4.28.0-minimal.tar.gz\n  \
                        bartizan rules install crs@4.29.0 --sha256 HEX")]
pub(crate) struct Install {
    /// What to install: `crs@VERSION`.
    #[arg(value_name = "NAME@VERSION")]
    release: Release,
    /// The archive (`.tar.gz`): a file or a URL. Without it the project's own.
    #[arg(long, value_name = "FILE|URL")]
    from: Option<String>,
    /// The SHA-256 of the archive, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    sha256: Option<Checksum>,
    /// The state directory. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// `crs@4.28.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Release {
    version: String,
}

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Checksum([u8; 32]);

impl Install {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { release, from, sha256, state_dir } = self;
        let state = StateDirectory::locate(state_dir)?;
        state.create()?;
        let target = state.rules_path().join(release.to_string());
        refuse_to_replace(&target)?;
        let from = from.unwrap_or_else(|| release.url());
        let bytes = fetch::archive(&from).await?;
        let vouched = match sha256.map_or_else(|| Checksum::beside(&from), |given| Ok(Some(given)))? {
            Some(checksum) => {
                checksum.verify(&bytes).with_context(|| format!("`{from}` is not what you expect"))?;
                Vouched::ByChecksum
            }
            None => Vouched::ByContent(&release),
        };
        unpack(&bytes, &target, &vouched).with_context(|| format!("cannot install `{from}`"))?;
        print(format_args!(
            "{} the OWASP Core Rule Set {} in {}\n\n{}",
            styled(GOOD.bold(), "installed:"),
            release.version,
            target.display(),
            styled(
                FAINT,
                "Write `waf: crs` into the configuration; a gateway that has it takes this one over on `bartizan reload`."
            ),
        ))
    }
}

/// Its setup may have been edited: what is there is never written over.
fn refuse_to_replace(target: &Path) -> Result<()> {
    ensure!(
        fs::symlink_metadata(target).is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
        "`{}` is there already: remove it to install this release again",
        target.display()
    );
    Ok(())
}

/// What says that an archive is the release.
enum Vouched<'a> {
    /// A checksum has: it was compared.
    ByChecksum,
    /// Nothing, unless the contents of this release are known.
    ByContent(&'a Release),
}

impl Vouched<'_> {
    fn check(&self, bytes: &[u8], folder: &Path) -> Result<()> {
        let Self::ByContent(release) = self else { return Ok(()) };
        ensure!(
            release::is_known(&release.version, folder)?,
            "nothing vouches for it: what is in it is not known here as release {}. If the project's page of the release shows \
             this SHA-256, say `--sha256 {}`",
            release.version,
            hexadecimal(&Sha256::digest(bytes))
        );
        Ok(())
    }
}

/// Unpacks beside the target and moves the whole into its place, so that there is all of it or nothing.
fn unpack(bytes: &[u8], target: &Path, vouched: &Vouched<'_>) -> Result<()> {
    let folder = target.parent().context("the state directory has no place for rules")?;
    let temporary = folder.join(format!(".new-{}", std::process::id()));
    // What a crashed process of the same id left behind.
    let _ = fs::remove_dir_all(&temporary);
    let unpacked = archive::unpack(bytes, &temporary).and_then(|()| {
        vouched.check(bytes, &temporary)?;
        refuse_to_replace(target)?;
        fs::rename(&temporary, target).with_context(|| format!("cannot make `{}`", target.display()))
    });
    if unpacked.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    unpacked
}

impl Release {
    /// Where the project publishes it.
    fn url(&self) -> String {
        let version = &self.version;
        format!(
            "https://github.com/coreruleset/coreruleset/releases/download/v{version}/coreruleset-{version}-minimal.tar.gz"
        )
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number =
            |part: &str| (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once('@') {
            Some(("crs", version))
                if version.split('.').count() == 3 && version.split('.').all(is_number) =>
            {
                Ok(Self { version: version.into() })
            }
            Some(("crs", _)) => Err("write the whole version, as in `crs@4.28.0`".into()),
            _ => Err("only the OWASP Core Rule Set can be installed: write `crs@4.28.0`".into()),
        }
    }
}

impl fmt::Display for Release {
    /// The name of its folder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crs-{}", self.version)
    }
}

impl Checksum {
    /// The one that a file beside a file has, as `sha256sum` writes it; `None` where there is none.
    fn beside(from: &str) -> Result<Option<Self>> {
        let path = PathBuf::from(format!("{from}.sha256"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let first = text.split_whitespace().next().unwrap_or_default();
        let checksum = first.parse().map_err(|error: String| anyhow!("`{}`: {error}", path.display()))?;
        Ok(Some(checksum))
    }

    fn verify(self, bytes: &[u8]) -> Result<()> {
        let found: [u8; 32] = Sha256::digest(bytes).into();
        if found != self.0 {
            bail!("its SHA-256 is {}, not {}", hexadecimal(&found), hexadecimal(&self.0));
        }
        Ok(())
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || "a SHA-256 is 64 hexadecimal digits".to_owned();
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let mut checksum = [0; 32];
        for (byte, pair) in checksum.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refuse())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        Ok(Self(checksum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_a_name_and_a_whole_version() {
        let release: Release = "crs@4.28.0".parse().unwrap();
        assert_eq!(release.to_string(), "crs-4.28.0");
        assert!(release.url().ends_with("/v4.28.0/coreruleset-4.28.0-minimal.tar.gz"));
        for text in [
            "",
            "crs",
            "crs@",
            "crs@4",
            "crs@4.28",
            "crs@v4.28.0",
            "crs@4.28.0-rc1",
            "crs@../../x",
            "crs@4..0",
            "owasp@4.28.0",
            "crs@4.28.0.1",
        ] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }

    #[test]
    fn checksums_are_compared() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for text in [empty.into(), empty.to_uppercase(), format!("sha256:{empty}")] {
            text.parse::<Checksum>().unwrap().verify(b"").unwrap();
        }
        let message = empty.parse::<Checksum>().unwrap().verify(b"x").unwrap_err().to_string();
        assert!(message.contains(empty), "{message}");
        for text in ["", "e3b0", &empty.replace('e', "g"), &format!("{empty}00"), &format!("md5:{empty}")] {
            assert!(text.parse::<Checksum>().is_err(), "{text}");
        }
    }
}

//! libmodsecurity's functions, asked value by value in a program of their own (`reference.cc`), which is compiled here.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use bartizan_seclang::Transformation;

/// The map of code page 20127, which Debian has beside nginx's module.
pub(crate) const UNICODE_MAP: &str = "/usr/share/nginx/docs/modsecurity/unicode.mapping";

const SOURCE: &str = include_str!("reference.cc");

pub(crate) struct Reference {
    program: PathBuf,
    values: PathBuf,
}

/// What the reference makes of one value.
pub(crate) struct Answers<'a> {
    /// In the order of [`Transformation::NAMES`].
    pub(crate) transformed: Vec<&'a [u8]>,
    /// The fingerprint, empty for what is no SQL.
    pub(crate) sql: &'a [u8],
    pub(crate) is_script: bool,
}

impl Reference {
    /// Compiles the program into a folder.
    pub(crate) fn build(folder: &Path) -> Result<Self> {
        let (source, program) = (folder.join("reference.cc"), folder.join("reference"));
        fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("c++");
        compiler.args(["-std=c++17", "-O1", "-o"]).arg(&program).arg(&source).arg("-lmodsecurity");
        let output = compiler.output().context("could not start `c++`")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Debian's libmodsecurity-dev is needed: {}", said.trim());
        Ok(Self { program, values: folder.join("values.bin") })
    }

    /// The answers to some values, as they are written; [`answers`] reads them. Also what the program says of itself.
    pub(crate) fn ask(&self, values: &[Vec<u8>]) -> Result<(Vec<u8>, String)> {
        let mut input = Vec::new();
        for value in values {
            input.extend(u32::try_from(value.len())?.to_ne_bytes());
            input.extend(value);
        }
        fs::write(&self.values, input)?;
        let names = Transformation::NAMES.map(|(name, _)| name_in_reference(name));
        let output = Command::new(&self.program)
            .arg(UNICODE_MAP)
            .args(names)
            .stdin(File::open(&self.values)?)
            .output()
            .context("could not start the reference")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "the reference failed: {}: {said}", output.status);
        Ok((output.stdout, said))
    }
}

/// Where no rule is parsed, the library knows one by another name.
fn name_in_reference(name: &str) -> &str {
    if name == "cmdLine" { "cmd_line" } else { name }
}

/// The answers to one value, taken from the front of what was written.
pub(crate) fn answers<'a>(output: &mut &'a [u8]) -> Result<Answers<'a>> {
    let mut next = || {
        let (length, rest) = output.split_first_chunk().context("the reference said too little")?;
        let length = usize::try_from(u32::from_ne_bytes(*length))?;
        let (answer, rest) = rest.split_at_checked(length).context("the reference said too little")?;
        *output = rest;
        anyhow::Ok(answer)
    };
    let transformed = Transformation::NAMES.iter().map(|_| next()).collect::<Result<_>>()?;
    Ok(Answers { transformed, sql: next()?, is_script: next()? == b"1" })
}

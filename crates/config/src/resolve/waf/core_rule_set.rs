//! Where the OWASP Core Rule Set is: where the document says, else installed by us, else by Debian.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    CoreRuleSet, RulePlaces, Source,
    located::{At, Position},
    problems::Problems,
};

/// A release has about 30 files of rules.
const MOST_FILES: usize = 1000;
/// What is read of a rule file to know its version. Its beginning is plain ASCII.
const MOST_HEAD: u64 = 200;

/// The Core Rule Set at `path`, or wherever it is; reports that it is nowhere.
pub(super) fn find(
    path: Option<&At<PathBuf>>,
    position: Position,
    source: &Source,
    problems: &mut Problems<'_>,
) -> Option<CoreRuleSet> {
    if let Some(path) = path {
        let folder = source.base.join(&path.value);
        return in_folder(&folder).map_err(|reason| {
            problems
                .error(path.position, format!("`{}` is not the Core Rule Set: {reason}", folder.display()))
                .help("name the folder that holds `rules/` and `crs-setup.conf`; relative paths start from the folder of this document");
        }).ok();
    }
    let installed = source.rules.installed.as_deref().and_then(newest);
    if let Some(folder) = installed {
        return in_folder(&folder)
            .map_err(|reason| {
                let message = format!("the Core Rule Set in `{}` cannot be used: {reason}", folder.display());
                problems
                    .error(position, message)
                    .help("remove that folder and run `bartizan rules install crs@4.28.0` again");
            })
            .ok();
    }
    match of_debian(&source.rules.system) {
        Some(Ok(packaged)) => return Some(packaged),
        Some(Err(reason)) => {
            problems
                .error(position, format!("the Core Rule Set of the package `modsecurity-crs` cannot be used: {reason}"))
                .help("run `bartizan rules install crs@4.28.0`, or say under `path` where another is");
        }
        None => problems.error(position, looked_for(&source.rules)).help(
            "run `bartizan rules install crs@4.28.0`, or say under `path` where it is; Debian's `modsecurity-crs` serves from version 4 on, which Debian 13 does not have yet",
        ),
    }
    None
}

fn looked_for(places: &RulePlaces) -> String {
    let installed = places.installed.as_ref().map(|folder| format!("`{}` or ", folder.display()));
    let packaged = places.system.join("usr/share/modsecurity-crs");
    let installed = installed.unwrap_or_default();
    format!("there is no Core Rule Set in {installed}`{}`", packaged.display())
}

/// As it is released and installed: everything in one folder.
fn in_folder(folder: &Path) -> Result<CoreRuleSet, String> {
    let setup = ["crs-setup.conf", "crs-setup.conf.example"].map(|name| folder.join(name));
    let setup = setup.into_iter().find(|file| file.is_file()).ok_or("there is no `crs-setup.conf`")?;
    let rules = rules_in(&folder.join("rules"))?;
    let plugins = files_in(&folder.join("plugins")).unwrap_or_default();
    let ending =
        |end: &'static str| plugins.iter().filter(move |path| path.to_string_lossy().ends_with(end)).cloned();
    let before = ending("-config.conf").chain(ending("-before.conf")).collect();
    Ok(CoreRuleSet { setup, before, rules, after: ending("-after.conf").collect() })
}

/// As Debian's `modsecurity-crs` has it: rules in one place, what people edit in another.
fn of_debian(root: &Path) -> Option<Result<CoreRuleSet, String>> {
    let (edited, shared) = (root.join("etc/modsecurity/crs"), root.join("usr/share/modsecurity-crs/rules"));
    let setup = edited.join("crs-setup.conf");
    if !setup.is_file() {
        return None;
    }
    let own = |name: &str| Some(edited.join(name)).filter(|file| file.is_file()).into_iter().collect();
    Some(rules_in(&shared).map(|rules| CoreRuleSet {
        setup,
        before: own("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"),
        rules,
        after: own("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"),
    }))
}

fn rules_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let rules = files_in(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no folder `rules`".into(),
        _ => format!("cannot read `{}`: {error}", folder.display()),
    })?;
    let starts = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("REQUEST-901-"))
    };
    let first = rules.iter().find(starts).ok_or("its rules do not begin with `REQUEST-901-…`")?;
    match version(first) {
        Some(version) if !version.starts_with("4.") => {
            Err(format!("it is version {version}, and the engine runs version 4"))
        }
        _ => Ok(rules),
    }
}

/// The version that a rule file says it is of: `# OWASP CRS ver.4.28.0`.
fn version(file: &Path) -> Option<String> {
    let mut head = String::new();
    fs::File::open(file).ok()?.take(MOST_HEAD).read_to_string(&mut head).ok()?;
    let (_, version) = head.split_once("CRS ver.").or_else(|| head.split_once("Core Rule Set ver."))?;
    Some(
        version
            .chars()
            .take_while(|character| character.is_ascii_digit() || *character == '.')
            .take(20)
            .collect(),
    )
}

/// The `.conf` files of a folder, in the order of their names.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.take(MOST_FILES).collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf") && path.is_file());
    files.sort();
    Ok(files)
}

/// The folder `crs-VERSION` with the highest version.
fn newest(installed: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(installed).ok()?.take(MOST_FILES).filter_map(Result::ok);
    let versions = entries.filter_map(|entry| {
        let name = entry.file_name();
        let version = name.to_str()?.strip_prefix("crs-")?;
        let parts = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
        Some((parts, entry.path()))
    });
    versions.max().map(|(_, path)| path)
}

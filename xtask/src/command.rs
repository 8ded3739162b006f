//! Runs other programs. Each command is printed before it runs, so that whoever reads the log can repeat it.
//! Environment variables set for it are not: they carry secrets.

use std::{
    env,
    ffi::OsStr,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// A command that runs in the root of the workspace.
pub(crate) fn command(program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(crate::root());
    command
}

/// The cargo that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// Prints a command and runs it; fails when it does.
pub(crate) fn run(mut command: Command) -> Result<()> {
    announce(&command);
    let status = command.status().with_context(|| format!("could not start `{}`", words(&command)))?;
    ensure!(status.success(), "`{}` failed: {status}", words(&command));
    Ok(())
}

/// What a command writes to standard output; fails when the command does. It is not printed.
pub(crate) fn output(mut command: Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start `{}`", words(&command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", words(&command), output.status, said.trim());
    }
    Ok(output.stdout)
}

/// Whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path)
            .chain([Path::new("/usr/sbin").to_path_buf()])
            .any(|folder| folder.join(program).is_file())
    })
}

/// Prints a command as a shell would take it.
pub(crate) fn announce(command: &Command) {
    say(&format!("$ {}", words(command)));
}

/// Tells what is going on; bold on a terminal.
pub(crate) fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\x1b[1m{text}\x1b[0m");
    } else {
        eprintln!("{text}");
    }
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let arguments = command.get_args().map(quote);
    [quote(program)].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(|c: char| c.is_whitespace() || "'\"$*;&|<>".contains(c)) || word.is_empty() {
        format!("'{}'", word.replace('\'', r"'\''"))
    } else {
        word.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("/usr/bin/printf");
        command.args(["%s", "it's", "", "two words", "$HOME"]).env("TOKEN", "secret");
        assert_eq!(words(&command), r"printf %s 'it'\''s' '' 'two words' '$HOME'");
    }

    #[test]
    fn a_failing_command_is_an_error_that_says_what_it_said() {
        let error = output(command("sh", &["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("broken"), "{error}");
        assert!(run(command("false", &[])).is_err());
    }
}

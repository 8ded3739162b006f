//! The bytes of an archive: from a file or a URL, within limits of size and time.

use std::{fs::File, io::Read, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::Client;

/// The largest archive; a release has less than 1 MB.
const MAX_BYTES: usize = 32 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(2);

/// What is in this file or at this URL.
pub(super) async fn archive(from: &str) -> Result<Vec<u8>> {
    if from.starts_with("https://") || from.starts_with("http://") {
        download(from).await.with_context(|| format!("cannot fetch `{from}`"))
    } else {
        read(Path::new(from)).with_context(|| format!("cannot read `{from}`"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    ensure!(file.metadata()?.is_file(), "it is not a file");
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    check_length(bytes.len())?;
    Ok(bytes)
}

/// Plain HTTP will do: what comes is compared with a checksum, or with what is known of the release.
async fn download(url: &str) -> Result<Vec<u8>> {
    let agent = concat!("bartizan/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder().connect_timeout(CONNECT).timeout(PATIENCE).user_agent(agent).build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        check_length(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn check_length(length: usize) -> Result<()> {
    ensure!(length <= MAX_BYTES, "it has more than {} MiB", MAX_BYTES / (1024 * 1024));
    Ok(())
}

//! What a child process writes, line by line, awaitable.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
    time::timeout,
};

use crate::harness::PATIENCE;

/// Lines of a child, as they come.
pub(crate) struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Output {
    pub(crate) fn follow(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let written = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream).lines();
            while let Ok(Some(line)) = stream.next_line().await {
                let mut lines = written.lock().unwrap();
                lines.push(line);
                counter.send_replace(lines.len());
            }
        });
        Self { lines, count }
    }

    /// Waits for a line; those that came before count, too.
    pub(crate) async fn find<T>(&self, matching: impl Fn(&str) -> Option<T>, what: &str) -> T {
        let (mut count, mut seen) = (self.count.clone(), 0);
        let search = async {
            loop {
                let until = *count.borrow_and_update();
                let lines = self.lines.lock().unwrap()[seen..until].to_vec();
                if let Some(found) = lines.iter().find_map(|line| matching(line)) {
                    return Some(found);
                }
                seen = until;
                if count.changed().await.is_err() {
                    return None;
                }
            }
        };
        let found = timeout(PATIENCE, search).await.ok().flatten();
        found.unwrap_or_else(|| panic!("no `{what}` in:\n{}", self.text()))
    }

    /// Waits until there will be no more lines.
    pub(crate) async fn closed(&self) {
        let mut count = self.count.clone();
        while count.changed().await.is_ok() {}
    }

    pub(crate) fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

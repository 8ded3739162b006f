//! Socket activation: listening sockets inherited from whoever started the process (`sd_listen_fds(3)`), so that
//! a restart refuses nobody.

use std::net::TcpListener;

use listenfd::ListenFd;

/// The variable that names the inherited sockets, separated by colons.
const NAMES: &str = "LISTEN_FDNAMES";
/// What systemd calls a socket that has no name of its own.
const UNNAMED: &str = "unknown";

/// Inherited sockets by listener name: `https`, `http`, `admin`, `metrics`.
#[derive(Debug, Default)]
pub struct ActivatedSockets(Vec<(String, TcpListener)>);

impl ActivatedSockets {
    /// Takes over the sockets inherited from the environment. Those without a name are taken for `expected`, in
    /// that order. What cannot be used is logged and left alone.
    pub fn from_environment(expected: &[&str]) -> Self {
        let mut inherited = ListenFd::from_env();
        let names = std::env::var(NAMES).unwrap_or_default();
        let owners = assign(&names, inherited.len(), expected);
        let mut sockets = Vec::new();
        for (index, name) in owners.into_iter().enumerate() {
            match (name, inherited.take_tcp_listener(index)) {
                (Some(name), Ok(Some(socket))) => sockets.push((name, socket)),
                (None, Ok(Some(_))) => {
                    tracing::warn!(index, "an inherited socket has no listener to belong to");
                }
                (_, Err(error)) => tracing::warn!(index, %error, "cannot use an inherited socket"),
                (_, Ok(None)) => {}
            }
        }
        Self(sockets)
    }

    /// Takes the socket for the listener `name`, if one was inherited.
    pub fn take(&mut self, name: &str) -> Option<TcpListener> {
        let index = self.0.iter().position(|(socket, _)| socket == name)?;
        Some(self.0.swap_remove(index).1)
    }
}

/// Whom each of `count` inherited sockets belongs to.
fn assign(names: &str, count: usize, expected: &[&str]) -> Vec<Option<String>> {
    let given: Vec<&str> = names.split(':').collect();
    let name_of =
        |index: usize| given.get(index).copied().filter(|name| !name.is_empty() && *name != UNNAMED);
    let mut others = expected.iter().filter(|name| !given.contains(name));
    (0..count)
        .map(|index| match name_of(index) {
            Some(name) => expected.contains(&name).then(|| name.to_owned()),
            None => others.next().map(|name| (*name).to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_sockets_find_their_listeners() {
        let expected = ["https", "http", "admin"];
        let cases: [(&str, usize, &[Option<&str>]); 7] = [
            ("", 0, &[]),
            ("", 2, &[Some("https"), Some("http")]),
            ("", 4, &[Some("https"), Some("http"), Some("admin"), None]),
            ("http:https", 2, &[Some("http"), Some("https")]),
            ("unknown:https:unknown", 3, &[Some("http"), Some("https"), Some("admin")]),
            ("ftp:https", 2, &[None, Some("https")]),
            ("admin", 2, &[Some("admin"), Some("https")]),
        ];
        for (names, count, owners) in cases {
            let assigned = assign(names, count, &expected);
            let assigned: Vec<_> = assigned.iter().map(Option::as_deref).collect();
            assert_eq!(assigned, owners, "{names} {count}");
        }
    }

    #[test]
    fn a_socket_is_taken_once() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sockets = ActivatedSockets(vec![("https".into(), socket)]);
        assert!(sockets.take("http").is_none());
        assert!(sockets.take("https").is_some());
        assert!(sockets.take("https").is_none());
    }
}

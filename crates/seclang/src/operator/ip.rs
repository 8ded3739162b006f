//! `ipMatch` and `ipMatchFromFile`: is the value an address of these networks?

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Problem;

use super::phrases::lines;

/// Networks, sorted and without overlap, so that a search finds the only candidate.
#[derive(Debug)]
pub(super) struct Addresses {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Addresses {
    /// Reads `127.0.0.1,::1,10.0.0.0/8`.
    pub(super) fn of_argument(argument: &str) -> Result<Self, Problem> {
        let networks: Vec<IpNet> = argument.split(',').map(network).collect::<Result<_, _>>()?;
        Ok(Self::new(networks))
    }

    /// Reads one or more addresses per line; lines that are empty or begin with `#` are comments.
    pub(super) fn of_files(files: &[impl AsRef<[u8]>]) -> Result<Self, Problem> {
        let networks: Vec<IpNet> = files
            .iter()
            .flat_map(|file| lines(file.as_ref()))
            .flat_map(|line| line.split(|byte| *byte == b','))
            .map(|text| network(&String::from_utf8_lossy(text)))
            .collect::<Result<_, _>>()?;
        Ok(Self::new(networks))
    }

    fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => v4.push(network),
                IpNet::V6(network) => v6.push(network),
            }
        }
        let (mut v4, mut v6) = (Ipv4Net::aggregate(&v4), Ipv6Net::aggregate(&v6));
        v4.sort_unstable_by_key(Ipv4Net::network);
        v6.sort_unstable_by_key(Ipv6Net::network);
        Self { v4, v6 }
    }

    /// Whether the value is an address, and one of these.
    pub(super) fn contains(&self, value: &[u8]) -> bool {
        let Some(address) = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) else {
            return false;
        };
        match address {
            IpAddr::V4(address) => {
                let after = self.v4.partition_point(|network| network.network() <= address);
                after
                    .checked_sub(1)
                    .and_then(|at| self.v4.get(at))
                    .is_some_and(|network| network.contains(&address))
            }
            IpAddr::V6(address) => {
                let after = self.v6.partition_point(|network| network.network() <= address);
                after
                    .checked_sub(1)
                    .and_then(|at| self.v6.get(at))
                    .is_some_and(|network| network.contains(&address))
            }
        }
    }
}

fn network(text: &str) -> Result<IpNet, Problem> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| Problem::invalid("ipMatch", text, "an address or a network, such as `10.0.0.0/8`"))
}

//! The demonstration: a shop, the gateway in front of it, and visitors good and bad.
//!
//! Everything is real but the shop: the configuration is a file, the tokens are signed, the requests cross TCP.

mod credentials;
mod document;
mod exchange;
mod issuer;
mod scenario;
mod shop;
pub(crate) mod traffic;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Result;
use bartizan_config::Config;
use bartizan_reputation::{Entry, Standing};

pub(crate) use self::{credentials::Credentials, shop::Shop};
use crate::{
    state::StateDirectory,
    system::{Plan, System},
};

/// Where the demonstration listens if it can: where a gateway listens by default.
const PROXY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const ADMIN: u16 = 9443;
const METRICS: u16 = 9464;

/// The shop and the gateway in front of it.
pub(crate) struct Demo {
    pub(crate) shop: Shop,
    pub(crate) credentials: Credentials,
    pub(crate) system: System,
    pub(crate) proxy: SocketAddr,
}

impl Demo {
    /// Opens the shop and starts the gateway, with its state in `state`.
    pub(crate) async fn start(state: &StateDirectory, listen: Option<SocketAddr>) -> Result<Self> {
        let shop = Shop::open().await?;
        let credentials = Credentials::generate()?;
        let addresses = document::Addresses {
            proxy: listen.unwrap_or_else(|| free(PROXY)),
            admin: free(SocketAddr::new(PROXY.ip(), ADMIN)),
            metrics: free(SocketAddr::new(PROXY.ip(), METRICS)),
        };
        state.create()?;
        let path = document::write(&state.path().join("demo"), addresses, shop.address(), &credentials)?;
        let loaded = Config::load(&path)?;
        let plan = Plan { loaded, document: Some(path), state: state.clone(), any_control_port: true };
        let system = Box::pin(System::start(plan)).await?;
        let blocked = Entry::new(Standing::Blocked, None, "the demo's unwelcome visitor");
        system.addresses().set(scenario::BLOCKED.into(), blocked)?;
        let proxy = system.proxy().unwrap_or(addresses.proxy);
        Ok(Self { shop, credentials, system, proxy })
    }
}

/// `address` where nobody listens there, else the same with any port.
fn free(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => SocketAddr::new(address.ip(), 0),
    }
}

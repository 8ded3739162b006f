//! What is known about addresses before a request says anything: which are blocked, which are allowed, until when.
//!
//! [`AddressLists`] holds entries for single addresses and for prefixes. The most specific entry decides, so an
//! allowed address inside a blocked prefix is served. An allowed address is exempt from blocking only:
//! authentication and permissions apply to it as to everybody.
//!
//! ```
//! use bartizan_reputation::{AddressLists, Entry, Standing};
//! use std::time::SystemTime;
//!
//! let lists = AddressLists::default();
//! lists.set("203.0.113.0/24".parse()?, Entry::new(Standing::Blocked, None, "scanning"))?;
//! lists.set("203.0.113.9/32".parse()?, Entry::new(Standing::Allowed, None, "our monitoring"))?;
//! let now = SystemTime::now();
//! assert_eq!(lists.standing("203.0.113.8".parse()?, now).unwrap().standing, Standing::Blocked);
//! assert_eq!(lists.standing("203.0.113.9".parse()?, now).unwrap().standing, Standing::Allowed);
//! assert!(lists.standing("198.51.100.1".parse()?, now).is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Entries live in memory and end with the process. A look-up takes no lock and costs one hash per prefix length
//! in use; a change copies the lists, which suits lists that change by the second, not by the microsecond.

mod address_lists;

pub use address_lists::{AddressLists, Entry, ReputationError, Standing};

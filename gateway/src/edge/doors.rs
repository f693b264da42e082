//! How many connections each address may have open.

use super::address::Proxies;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the open connections of each address. Clones share the count.
#[derive(Clone)]
pub struct Doors(Arc<Inner>);

struct Inner {
    /// 0: any number.
    most: u32,
    proxies: Arc<Proxies>,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// Given back when the connection ends.
pub struct Place {
    doors: Doors,
    /// Nothing if the connection is not counted.
    address: Option<IpAddr>,
}

impl Doors {
    pub fn new(most: u32, proxies: Arc<Proxies>) -> Self {
        Self(Arc::new(Inner {
            most,
            proxies,
            open: Mutex::default(),
        }))
    }

    /// A place for one more connection from there; none if there are too many. This machine and trusted proxies have as
    /// many as they want.
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let is_counted = self.0.most > 0 && !address.is_loopback() && !self.0.proxies.are(address);
        let address = is_counted.then_some(address);
        if let Some(address) = address {
            let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(address).or_default();
            if *count >= self.0.most {
                return None;
            }
            *count += 1;
        }
        Some(Place {
            doors: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.doors.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool_platform::config::Config;

    fn doors(most: u32) -> Doors {
        let mut config = Config::default();
        config.edge.trusted_proxies = "10.0.0.0/8".to_owned().try_into().ok();
        Doors::new(most, Arc::new(Proxies::new(&config.edge)))
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let doors = doors(2);
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let (one, two) = (doors.enter(address), doors.enter(address));
        assert!(one.is_some() && two.is_some());
        assert!(doors.enter(address).is_none());
        assert!(doors.enter("192.0.2.2".parse().expect("an address")).is_some());
        drop(one);
        assert!(doors.enter(address).is_some());
        drop(two);
        assert!(doors.0.open.lock().expect("nobody panicked").is_empty());
    }

    #[test]
    fn proxies_and_this_machine_are_not_counted() {
        let doors = doors(1);
        for address in ["10.1.2.3", "127.0.0.1", "::1"] {
            let address: IpAddr = address.parse().expect("an address");
            let places = [doors.enter(address), doors.enter(address)];
            assert!(places.iter().all(Option::is_some), "{address}");
        }
    }
}

//! Ports that are free and stay so for as long as a server may be restarted on them.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::time::SystemTime;

use crate::{Failed, places};

/// Below the range from which the kernel takes the ports of outgoing connections: one of those could otherwise sit on a
/// server's port while that is being restarted.
const FIRST: u16 = 20_000;
const HOW_MANY: u16 = 10_000;

/// A port on 127.0.0.1, reserved among all test processes of this target folder while the value lives.
pub struct Port {
    number: u16,
    _reserved: Option<File>,
}

impl Port {
    pub fn free() -> Result<Self, Failed> {
        let folder = places::cache().join("ports");
        std::fs::create_dir_all(&folder).map_err(Failed::doing(format!("make {}", folder.display())))?;
        let start = somewhere();
        for step in 0..HOW_MANY {
            let number = FIRST + (start + step) % HOW_MANY;
            let file = folder.join(number.to_string());
            let file = File::create(&file).map_err(Failed::doing(format!("make {}", file.display())))?;
            let is_ours = file.try_lock().is_ok();
            if is_ours && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self {
                    number,
                    _reserved: Some(file),
                });
            }
        }
        Err(Failed::because(format!(
            "found no free port from {FIRST} to {}; end some of the servers that listen there",
            FIRST + HOW_MANY - 1
        )))
    }

    /// One that the caller chose, and answers for.
    pub fn chosen(number: u16) -> Self {
        Self {
            number,
            _reserved: None,
        }
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Where to start looking: elsewhere each time, so that processes seldom try the same.
fn somewhere() -> u16 {
    let nanoseconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_nanos();
    let mixed = (nanoseconds / 1000)
        .wrapping_mul(31)
        .wrapping_add(std::process::id());
    u16::try_from(mixed % u32::from(HOW_MANY)).expect("a remainder of ten thousand is below 65,536")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_given_once() {
        let ports: Vec<Port> = (0..50)
            .map(|_| Port::free().expect("there are free ports"))
            .collect();
        let numbers: std::collections::HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 50);
    }
}

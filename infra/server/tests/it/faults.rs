//! Failing disks, full disks, doubled servers, and requests that mean harm.

mod disks;
mod requests;

use std::path::Path;

use crate::server::Setup;

fn setup_in(folder: &Path) -> Setup {
    Setup::new(folder.join("data"), folder.join("server.log"))
}

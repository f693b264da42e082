//! Opens media in a sandbox: the only executable that links FFmpeg.
fn main() {}

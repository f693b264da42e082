//! What every backend of the blobs promises, and what each adds, on a real disk and on a real S3 server.

mod contract;
mod direct;
mod disk;
mod failing;
mod large;
mod s3;
mod starting;

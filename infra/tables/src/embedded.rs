//! The embedded backend: SQLite, one file for each version of a view.
mod file;
mod folder;
mod readers;
#[cfg(test)]
mod tests;
mod view;
mod writer;

pub(crate) use folder::Folder;
pub(crate) use view::View;

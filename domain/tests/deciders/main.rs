//! The rules, feature by feature: what follows from each command, and what holds after any of them.

mod accounts;
mod anything;
mod history;
mod jobs;
mod jobs_always;
mod jobs_given;
mod jobs_reports;
mod lives;
mod reservations;
mod uploads;
mod videos;
mod views;

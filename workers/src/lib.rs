//! Facts to work outside: media jobs and housekeeping.

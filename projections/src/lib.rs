//! Facts to views: checkpoints, rebuild, switch, and the queries.

//! Leases, counters and heartbeats in Redis.

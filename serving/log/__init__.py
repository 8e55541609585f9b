"""The durable log: records, frames, spool, group commit, writer process."""

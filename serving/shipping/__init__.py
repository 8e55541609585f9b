"""From spool to table: batches, rows, quarantine, shadow, status."""

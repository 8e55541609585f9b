"""The operations cycle: read windows, compare, decide, report."""

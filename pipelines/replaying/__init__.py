"""A span of real time lived through again, window by window."""

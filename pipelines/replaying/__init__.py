"""A span of real time replayed against the real service, window by window."""

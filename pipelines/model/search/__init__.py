"""Searching parameters: the trials, and the studies that keep them for all who search."""

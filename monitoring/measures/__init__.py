"""Figures of a window: bins, distances, tallies, performance, estimates."""

"""Tables: open, append to and read Delta, exactly once where it counts; schemas of our own; what
a cell means."""

"""Where rows come from: one file for each kind of source, and what reads a use case's own."""

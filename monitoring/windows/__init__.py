"""Which rows are judged together: windows, their rows, versions and references."""

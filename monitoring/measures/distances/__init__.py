"""How far two samples lie apart: one statistic, one file, one line in the registry."""

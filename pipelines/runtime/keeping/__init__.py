"""Keeping a store: database, tables and artifacts, moved, copied and brought up to date."""

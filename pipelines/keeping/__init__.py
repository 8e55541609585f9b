"""Keeping a store: its database, tables and artifacts moved, copied, checked, brought up to date."""

"""Answers for whole tables and files: rows in, answers out, each of them once."""

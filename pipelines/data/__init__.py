"""Rows on their way to a training table: raw, expectations, labels, traffic, what expires."""

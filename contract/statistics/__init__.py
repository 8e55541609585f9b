"""Metrics and their intervals, by the formulas that training, gate and monitoring share."""

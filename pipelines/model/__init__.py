"""Fitting and explaining: preprocessing, tuning, baseline, plots, comparison, model card."""

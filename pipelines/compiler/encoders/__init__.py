"""Fitted encoders as columns of a scorer: one file for each kind that compiles."""

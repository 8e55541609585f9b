"""The data, model and development cycles: one module for each step of the life of a model."""

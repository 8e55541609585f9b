"""The protocols that predictions are asked by: each one file and one value."""

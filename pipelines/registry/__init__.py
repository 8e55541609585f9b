"""Versions in MLflow's registry, the ledger of their moves, the one function that moves them."""

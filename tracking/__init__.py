"""MLflow's side of the contract: one way to connect, one to an experiment, every tag by name."""

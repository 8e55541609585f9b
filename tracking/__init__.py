"""MLflow's side of the contract: how every part meets the tracking store and the registry."""

"""The ways an alert goes out: one channel, one file, one line in the registry."""

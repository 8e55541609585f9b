"""Use cases: one YAML file each, and a loader where a source needs code."""

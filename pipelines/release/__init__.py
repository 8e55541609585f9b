"""Whether a version may reach users: evidence, decision, report, release check."""

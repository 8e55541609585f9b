"""Tables as people find them: what is there, what it means, whose it is, what it looks like."""

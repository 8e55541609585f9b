"""Whether and on what to train again: verdicts, checks of labels, policy, candidate."""

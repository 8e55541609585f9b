"""Jobs by the clock: what is due, what is done, how they are."""

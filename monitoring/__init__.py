"""The operations cycle: read windows, compare, decide, report."""

from contract.interrupted import say_one_line

say_one_line()  # libraries are imported for seconds, in which somebody may press Ctrl-C

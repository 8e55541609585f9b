"""The operations cycle: read windows, compare, decide, report."""

from contract.start import collect_seldom, say_one_line

say_one_line()  # libraries are imported for seconds, in which somebody may press Ctrl-C
collect_seldom()

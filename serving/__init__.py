"""The HTTP service: follow the champion, load, score, answer, log."""

from contract.interrupted import say_one_line

say_one_line()  # libraries are imported for seconds, in which somebody may press Ctrl-C

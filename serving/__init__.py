"""The HTTP service: follow the champion, load, score, answer, log."""

import os

from contract.start import say_one_line

# There are none, and pydantic looks for them among all packages at each start: 20 ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
say_one_line()  # libraries are imported for seconds, in which somebody may press Ctrl-C

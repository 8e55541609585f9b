"""The HTTP service: follow the champion, load, score, answer, log."""

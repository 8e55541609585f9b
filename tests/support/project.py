"""Where the repository is."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]

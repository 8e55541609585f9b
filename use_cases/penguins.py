"""Penguins of three Antarctic islands: small real data."""

import pandas as pd


def load() -> pd.DataFrame:
    """All 344 penguins, one row each, numbered; four measurements and the sex may be missing."""
    from palmerpenguins import load_penguins

    penguins: pd.DataFrame = load_penguins()
    return penguins.drop(columns="year").assign(penguin=range(1, len(penguins) + 1))

"""The rows of the tutorial: every tenth flight of 2013, so that each step takes seconds."""

import pandas as pd

from use_cases import flights

ZONE = "America/New_York"


def load() -> pd.DataFrame:
    """A tenth of the flights, (n_flights, n_columns), in the order of departure.

    Day, hour and minute are columns of their own here: the tutorial breaks one of them.
    """
    rows = flights.load().iloc[::10].reset_index(drop=True)
    local = rows["scheduled_departure"].dt.tz_convert(ZONE).dt
    return rows.assign(day_of_week=local.dayofweek, hour=local.hour, minute=local.minute)

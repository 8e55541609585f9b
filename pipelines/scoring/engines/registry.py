"""The engines by name. A new one is a file of this folder and a line here."""

from collections.abc import Mapping

from pipelines.scoring.engines import local, ray
from pipelines.scoring.engines.engine import Engine

ENGINES: Mapping[str, Engine] = {"local": local.engine, "ray": ray.engine}

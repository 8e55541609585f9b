"""A one-hot encoder: a column of zeros and ones for each category of each feature."""

import copy
from collections.abc import Sequence
from typing import Any

from pipelines.compiler.columns import Column
from pipelines.compiler.encoders.lookup import input_names, looked_up


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """A table of zeros and a one for each category that the encoder keeps."""
    return looked_up(name, step, columns, _sources(step, input_names(step, len(columns))))


def _sources(step: Any, names: list[str]) -> list[int]:
    """For each output column, which input it comes from."""
    named = copy.copy(step)
    named.feature_name_combiner = lambda feature, _: feature
    return [names.index(source) for source in named.get_feature_names_out()]

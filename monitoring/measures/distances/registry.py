"""The statistics by name. One more is a file beside this one and a line here."""

from collections.abc import Callable, Mapping

from monitoring.measures.bins import Counts
from monitoring.measures.distances.jensen_shannon import jensen_shannon

# From the rows in the same cells of two samples, (n_cells,) each with a row on either side, to an
# effect between 0 (alike) and 1 (nothing in common), free of what chance alone gives.
Statistic = Callable[[Counts, Counts], float]

DISTANCES: Mapping[str, Statistic] = {
    "jensen_shannon": jensen_shannon,
}

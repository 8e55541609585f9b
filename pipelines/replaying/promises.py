"""What Fourcycle promises, and whether a replay found it kept: pure, from figures of windows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.replaying.found_rows import FoundRows
from pipelines.replaying.progress import WindowProgress
from pipelines.runtime.console import count


@dataclass(frozen=True)
class Promise:
    """One promise: what it says, how much was promised, how much was found."""

    says: str
    promised: int
    found: int
    where: tuple[str, ...]  # windows in which it broke

    @property
    def kept(self) -> bool:
        """Whether nothing is missing and nothing is too much."""
        return self.promised == self.found and not self.where

    def line(self) -> str:
        """In a sentence."""
        figures = f"{count(self.promised)} promised, {count(self.found)} found"
        where = f" ({', '.join(self.where)})" if self.where else ""
        return f"{self.says}: {figures}{where}"


def promises(
    seen: Sequence[WindowProgress], found: Sequence[FoundRows], broken_ledger: str
) -> list[Promise]:
    """Each promise over all windows; `seen` and `found` are in the same order."""
    pairs = list(zip(seen, found, strict=True))
    answers = sum(f.rows_found for f in found)
    by_live = sum(f.rows_found for w, f in pairs if set(f.versions) <= {w.version})
    reports = sum(1 + (w.labels > 0) for w in seen)
    made = sum((w.first is not None) + (w.labels > 0 and w.last is not None) for w in seen)
    return [
        Promise(
            "Every row that was asked has an answer in the table",
            sum(f.rows_promised for f in found),
            answers,
            _where(f for f in found if f.rows_found != f.rows_promised),
        ),
        Promise(
            "No answer stands there twice",
            answers,
            answers + sum(f.answers_repeated for f in found),
            _where(f for f in found if f.answers_repeated),
        ),
        Promise(
            "Each answer comes from the version that was live",
            answers,
            by_live,
            _where(f for w, f in pairs if not set(f.versions) <= {w.version}),
        ),
        Promise(
            "Every label that came stands there as it was said",
            sum(f.labels_promised for f in found),
            sum(f.labels_found for f in found),
            _where(f for f in found if f.labels_found != f.labels_promised),
        ),
        Promise(
            "No label stands there twice",
            sum(f.labels_found for f in found),
            sum(f.labels_found + f.labels_repeated for f in found),
            _where(f for f in found if f.labels_repeated),
        ),
        Promise(
            "Each window is reported on, and once more when its labels are there",
            reports,
            made,
            tuple(
                str(f.window) for w, f in pairs if w.first is None or not (w.last or not w.labels)
            ),
        ),
        Promise(
            "The record of moves is whole",
            1,
            0 if broken_ledger else 1,
            (broken_ledger,) if broken_ledger else (),
        ),
    ]


def _where(windows: Iterable[FoundRows]) -> tuple[str, ...]:
    return tuple(str(found.window) for found in windows)

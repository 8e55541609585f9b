"""What Fourcycle promises, and whether a replay found it kept: pure, from figures of windows."""

from collections.abc import Iterable, Iterator, Sequence
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
    return [
        *_of_answers(seen, found),
        *_of_labels(found),
        _of_reports(seen, found),
        Promise(
            "The record of moves is whole",
            1,
            0 if broken_ledger else 1,
            (broken_ledger,) if broken_ledger else (),
        ),
    ]


def _of_answers(seen: Sequence[WindowProgress], found: Sequence[FoundRows]) -> Iterator[Promise]:
    answers = sum(f.rows_found for f in found)
    by_live = [set(f.versions) <= {w.version} for w, f in zip(seen, found, strict=True)]
    yield Promise(
        "Every row that was asked has an answer in the table",
        sum(f.rows_promised for f in found),
        answers,
        _where(f for f in found if f.rows_found != f.rows_promised),
    )
    yield Promise(
        "No answer stands there twice",
        answers,
        answers + sum(f.answers_repeated for f in found),
        _where(f for f in found if f.answers_repeated),
    )
    yield Promise(
        "Each answer comes from the version that was live",
        answers,
        sum(f.rows_found for f, kept in zip(found, by_live, strict=True) if kept),
        _where(f for f, kept in zip(found, by_live, strict=True) if not kept),
    )


def _of_labels(found: Sequence[FoundRows]) -> Iterator[Promise]:
    labels = sum(f.labels_found for f in found)
    yield Promise(
        "Every label that came stands there as it was said",
        sum(f.labels_promised for f in found),
        labels,
        _where(f for f in found if f.labels_found != f.labels_promised),
    )
    yield Promise(
        "No label stands there twice",
        labels,
        labels + sum(f.labels_repeated for f in found),
        _where(f for f in found if f.labels_repeated),
    )


def _of_reports(seen: Sequence[WindowProgress], found: Sequence[FoundRows]) -> Promise:
    pairs = zip(seen, found, strict=True)
    return Promise(
        "Each window is reported on, and once more when its labels are there",
        sum(1 + (w.labels > 0) for w in seen),
        sum((w.first is not None) + (w.labels > 0 and w.last is not None) for w in seen),
        _where(f for w, f in pairs if w.first is None or (w.labels and not w.last)),
    )


def _where(windows: Iterable[FoundRows]) -> tuple[str, ...]:
    return tuple(str(found.window) for found in windows)

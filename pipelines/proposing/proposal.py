"""What is proposed of a table: every part of a use case with its reason, and what is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.use_case.sections.derived import Part
from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.inferred import Inferred, LeftOut
from pipelines.proposing.problem.amounts import Amounts
from pipelines.proposing.problem.event_time import ProposedTime
from pipelines.proposing.problem.split import ProposedSplit
from pipelines.proposing.problem.task import ProposedTask
from pipelines.proposing.question import Question


@dataclass(frozen=True)
class ProposedProblem:
    """What is predicted, how rows are told apart and divided; columns that are no features."""

    target: str
    task: ProposedTask
    time: ProposedTime
    keys: Inferred[tuple[str, ...]]
    split: ProposedSplit
    features: tuple[str, ...]
    parts: Mapping[str, tuple[Part, ...]]  # of times, the event time among them
    left_out: tuple[LeftOut, ...]
    questions: tuple[Question, ...]

    @property
    def learns(self) -> bool:
        """Whether anything is left that a model can learn from."""
        return bool(self.features or self.parts.get(self.time.column.value or ""))

    @property
    def declared(self) -> tuple[str, ...]:
        """Names of the columns that the use case declares, keys first, features last."""
        apart = (*self.keys.value, self.time.column.value, self.split.group, self.target)
        names = [name for name in dict.fromkeys(apart) if name]
        return tuple(n for n in (*names, *self.features))


@dataclass(frozen=True)
class Proposal:
    """The whole of it; `columns` are declarations by name, `notes` what is strange about them."""

    rows: int
    problem: ProposedProblem
    columns: Mapping[str, Inferred[dict[str, Any]]]
    notes: Mapping[str, tuple[str, ...]]
    form: CsvFormat
    form_reasons: Mapping[str, str]
    estimator: Inferred[dict[str, Any]]
    amounts: Amounts
    slices: tuple[str, ...]
    questions: tuple[Question, ...]

"""Whether answers are kept with the group that splits rows, as retraining from them needs."""

from collections.abc import Iterator

from contract.use_case.model import UseCase
from contract.use_case.sections.split import GroupSplit
from pipelines.proposing.checking.finding import CheckFinding, warning


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """A group that is neither sent as an input nor a key is in no logged answer."""
    split = use_case.split
    if isinstance(split, GroupSplit) and split.column not in (*use_case.inputs, *use_case.keys):
        yield warning(
            f"split.column: answers are kept without {split.column}, which is no key and no input, "
            "so retraining from them will be refused; name it in keys, too, where callers and "
            "label files know it"
        )

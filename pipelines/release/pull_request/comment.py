"""The comment on a pull request: what a change does to the model, in GitHub's Markdown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from contract.markdown import plain, table
from contract.use_case.sections.gates import Gates
from pipelines.data.validated import Validated
from pipelines.model.results import Trained
from pipelines.release.decision import GateDecision
from pipelines.release.gate_evidence import Champion, GateEvidence
from pipelines.release.gate_report import sections
from pipelines.release.pull_request.changes import FileChange, ValueChange
from pipelines.runtime.console import count

SHOWN = 30  # lines of a table
FEW = 6  # reasons that may all be read at once
LONGEST = 60_000  # characters; GitHub takes 65,536
SAME = 5e-5  # what four digits show as 0


@dataclass(frozen=True)
class Changes:
    """What differs from the base branch and from the version that the change is held against."""

    declared: Sequence[ValueChange] = ()
    locked: Sequence[ValueChange] = ()
    files: Sequence[FileChange] = ()
    card: str = ""  # difference of the two model cards


@dataclass(frozen=True)
class Judged:
    """A candidate that was made and measured, and what the gate says of it."""

    gates: Gates
    evidence: GateEvidence
    decision: GateDecision
    validated: Validated
    trained: Trained


@dataclass(frozen=True)
class Review:
    """One pull request and one use case. `broken` says why there is no candidate."""

    use_case: str
    title: str
    commit: str
    against: str
    judged: Judged | None = None
    broken: str = ""
    sample: int = 0
    changes: Changes = field(default_factory=Changes)

    @property
    def passed(self) -> bool:
        """Whether the change may reach users."""
        return self.judged is not None and self.judged.decision.passed


def marker(use_case: str) -> str:
    """What a comment of ours begins with, by which it is found again."""
    return f"<!-- fourcycle: {use_case} -->"


def comment(review: Review) -> str:
    """The whole comment; what is too long for GitHub is cut with a word about it."""
    parts = [marker(review.use_case), _headline(review), _about(review)]
    if review.judged is None:
        parts.append(f"**There is no model to judge:** {plain(review.broken)}")
    else:
        gate = review.judged
        parts += _folded(sections(gate.gates, gate.evidence, gate.decision))
        parts.append(_data(gate))
    parts += _changes(review.changes)
    text = "\n\n".join(parts) + "\n"
    cut = "\n\n… cut here: GitHub takes no longer comment; the job's artifact holds all of it.\n"
    return text if len(text) <= LONGEST else text[:LONGEST] + cut


def _headline(review: Review) -> str:
    title = plain(review.title)
    if review.judged is None:
        return f"## ❌ {title}: this change makes no model"
    if not review.passed:
        return f"## ❌ {title}: this change may not reach users"
    opponent = review.judged.evidence.opponent
    if not isinstance(opponent, Champion) or opponent.comparison is None:
        return f"## ✅ {title}: this change may reach users"
    by = opponent.comparison.difference
    if max(abs(by.low), abs(by.high)) < SAME:
        return f"## ✅ {title}: as good as before"
    word = "better" if by.low > 0 else "not worse"
    return (
        f"## ✅ {title}: {word}, {plain(opponent.comparison.metric)} {by.value:+.4f} "
        f"[{by.low:+.4f}, {by.high:+.4f}]"
    )


def _about(review: Review) -> str:
    rows = f" A sample of {count(review.sample)} rows." if review.sample else ""
    return (
        f"Commit `{review.commit[:12]}` against {plain(review.against)}.{rows} The gate's own "
        "decision on the packaged model; nothing was registered or moved."
    )


def _folded(parts: list[str]) -> list[str]:
    """Each part a level deeper; what is long stands behind a line to click on."""
    reasons, *others = parts
    first, _, more = reasons.partition("\n")
    folded = [first, _details("All checks", more)] if more.count("\n") > FEW else [reasons]
    for part in others:
        head, _, text = part.partition("\n")
        name = head.removeprefix("## ")
        folded.append(_details(name, text.strip()) if name == "Slices" else f"#{part}")
    return folded


def _data(judged: Judged) -> str:
    validated, trained = judged.validated, judged.trained
    rows = [
        (made.table, count(made.rows), f"`{made.content_hash[:12]}`")
        for made in (validated.raw, trained.training, trained.holdout)
    ]
    return "\n\n".join(
        (
            "### Data",
            table(("table", "rows", "content"), rows),
            plain(validated.line()[0].upper() + validated.line()[1:]) + ".",
        )
    )


def _changes(changes: Changes) -> list[str]:
    facts = [
        (f"`{_code(change.name)}`", plain(change.before), plain(change.now))
        for change in [*changes.declared, *changes.locked]
    ]
    code = [
        (f"`{_code(f.path)}`", _number("+", f.added), _number("−", f.removed))
        for f in changes.files
    ]
    parts = ["### What changed"]
    if facts:
        parts.append(_table(("what", "before", "now"), facts))
    if code:
        parts.append(_table(("file", "lines added", "removed"), code))
    if not facts and not code:
        parts.append("Nothing in the declaration, the locked packages or the code.")
    if changes.card:
        parts.append(_details("Model card", _fenced(changes.card)))
    return parts


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    more = f"\n\n… and {count(len(rows) - SHOWN)} more." if len(rows) > SHOWN else ""
    return table(head, rows[:SHOWN]) + more


def _number(sign: str, lines: int | None) -> str:
    return "binary" if lines is None else f"{sign}{lines}"


def _code(text: str) -> str:
    """A name between backticks, which can hold none, nor what ends a cell."""
    return text.replace("`", "'").replace("|", "\\|")


def _fenced(difference: str) -> str:
    """A block that no line of its own can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", difference)), default=0))
    return f"{fence}diff\n{difference}\n{fence}"


def _details(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"

"""The model card: what a version is for, what it saw, how good it is and where it ends."""

from collections.abc import Mapping
from math import isnan

from contract.addresses import without_credentials
from contract.markdown import plain, run_link, table
from contract.statistics.metrics import SMALLER_IS_BETTER
from contract.use_case.features import told
from contract.use_case.model import UseCase
from pipelines.data.validated import Validated
from pipelines.model.results import Evaluated, Figure, HoldoutSlice, Trained
from pipelines.runtime.console import count
from tracking.tags import (
    EVALUATE_RUN_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    PACKAGE_RUN_TAG,
    RETRAINED_LABELS_TAG,
    RETRAINED_WHY_TAG,
    TRAIN_RUN_TAG,
    TRAINED_BY_NOTE_TAG,
)

SLICES_SHOWN = 8
SHORT_HASH = 10
LINEAGE_FILE = "lineage.json"


def model_card(
    use_case: UseCase,
    validated: Validated,
    trained: Trained,
    evaluated: Evaluated,
    lineage: Mapping[str, str],
    period: str = "",
    experiment_id: str = "",
) -> str:
    """The card of one version, as the registry shows it.

    `period` is that of its training rows; `experiment_id` is where the runs of its lineage stand.
    """
    sections = [
        f"# {plain(use_case.title)}\n\n{plain(use_case.description)}",
        _intended(use_case),
        _data(use_case, validated, trained, period) + _retrained(lineage),
        _features(use_case),
        _metrics(evaluated),
        _slices(evaluated),
        _limits(use_case),
        _lineage(lineage, experiment_id),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _intended(use_case: UseCase) -> str:
    statements = {
        "Owner": use_case.owner,
        "Use it to": use_case.card.intended_use,
        "Not for": use_case.card.out_of_scope,
    }
    lines = [f"**{name}:** {plain(text)}" for name, text in statements.items() if text]
    return "## Intended use\n\n" + "\n\n".join(lines) if lines else ""


def _data(use_case: UseCase, validated: Validated, trained: Trained, period: str) -> str:
    origin = {
        "source": f"{use_case.source.kind}: {without_credentials(use_case.source.place)}",
        "period": period,
        "rows": f"{count(validated.raw.rows)} read",
        "owner": use_case.owner,
    }
    told = [f"**{name}** {plain(text)}" for name, text in origin.items() if text]
    rows = [
        ("training", count(trained.training.rows), f"training@{trained.training.version}"),
        (
            "holdout, never trained on",
            count(trained.holdout.rows),
            f"holdout@{trained.holdout.version}",
        ),
    ]
    split = use_case.split.model_dump(mode="json", exclude_none=True)
    how = ", ".join(f"{key} {value}" for key, value in split.items())
    return (
        "## Data\n\n"
        + ", ".join(told)
        + ".\n\n"
        + table(("slice", "rows", "table version"), rows)
        + f"\n\nSplit: {plain(how)}. {validated.expectations_passed} of "
        f"{validated.expectations_total} expectations passed; "
        f"{count(validated.rows_quarantined)} rows quarantined."
        + (f" A row counts as its {plain(use_case.weight)}." if use_case.weight else "")
    )


def _features(use_case: UseCase) -> str:
    """What the model sees that nobody sends; nothing where it sees what is sent."""
    rows = [(plain(name), plain(how)) for name, how in told(use_case)]
    if not rows:
        return ""
    others = [name for name in use_case.features if name in use_case.columns]
    return (
        "## Features\n\nComputed from what callers send, by the version's own use case:\n\n"
        + table(("feature", "computed as"), rows)
        + (f"\n\nAs they are sent: {plain(', '.join(others))}." if others else "")
    )


def _retrained(lineage: Mapping[str, str]) -> str:
    if RETRAINED_WHY_TAG not in lineage:
        return ""
    return (
        f"\n\n**Retrained.** {plain(lineage[RETRAINED_WHY_TAG])} Labelled answers of "
        f"{plain(lineage[RETRAINED_LABELS_TAG])} joined the data of the champion."
    )


def _metrics(evaluated: Evaluated) -> str:
    champion = evaluated.champion_figures
    head = ["metric", "value", "95 % interval", "baseline"] + [
        f"champion v{evaluated.champion}"
    ] * bool(champion)
    rows = []
    for name, figure in evaluated.figures.items():
        title = f"**{name}**" if name == evaluated.metric else name
        title += " ↓" if name in SMALLER_IS_BETTER else " ↑"
        row = [title, *_told(figure), _number(evaluated.baseline[name])]
        rows.append(row + ([_number(champion[name])] if champion else []))
    note = "Bootstrap over the holdout rows; the arrow says which way is better."
    return f"## Metrics on the holdout\n\n{table(head, rows)}\n\n{note}"


def _slices(evaluated: Evaluated) -> str:
    parts = []
    for column in dict.fromkeys(s.column for s in evaluated.slices):
        slices = [s for s in evaluated.slices if s.column == column][:SLICES_SHOWN]
        rows = [(plain(s.value), count(s.rows), *_slice_figures(s)) for s in slices]
        head = (plain(column), "rows", evaluated.metric, "95 % interval")
        parts.append(table(head, rows))
    return "## Slices\n\n" + "\n\n".join(parts) if parts else ""


def _slice_figures(holdout_slice: HoldoutSlice) -> tuple[str, str]:
    if holdout_slice.figure is None:
        return "too few rows", ""
    return _told(holdout_slice.figure)


def _told(figure: Figure) -> tuple[str, str]:
    """Value and interval; a dash for what the rows do not define."""
    ends = "–" if isnan(figure.low) else f"{figure.low:.4f} … {figure.high:.4f}"
    return _number(figure.value), ends


def _number(value: float) -> str:
    return "–" if isnan(value) else f"{value:.4f}"


def _limits(use_case: UseCase) -> str:
    return (
        "## Limits\n\n" + "\n".join(f"- {plain(x)}" for x in use_case.card.limits)
        if use_case.card.limits
        else ""
    )


def _lineage(tags: Mapping[str, str], experiment_id: str) -> str:
    """One line; all hashes stand beside the card."""
    runs = {"trained": TRAIN_RUN_TAG, "measured": EVALUATE_RUN_TAG, "packaged": PACKAGE_RUN_TAG}
    steps = [run_link(name, tags[tag], experiment_id) for name, tag in runs.items() if tag in tags]
    commit = tags.get(GIT_COMMIT_TAG, "")[:SHORT_HASH]
    changed = " with changes" if tags.get(GIT_DIRTY_TAG) == "yes" else ""
    by = tags.get(TRAINED_BY_NOTE_TAG, "")
    parts = [
        f"commit {plain(commit)}{changed}" if commit else "",
        ", ".join(steps),
        f"by {plain(by)}" if by else "",
        f"every hash: artifact `{LINEAGE_FILE}` beside the card",
    ]
    return "## Lineage\n\n" + " → ".join(part for part in parts if part)

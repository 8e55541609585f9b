"""A version that may answer: verified against its manifest, loaded without running its code."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from contract.errors import FourcycleError, Refused
from contract.names import SCORER_DIR, USE_CASE_FILE
from contract.package import verify
from contract.use_case.loader import parse_frozen
from contract.use_case.model import UseCase
from serving.scoring.agreement import compare
from serving.scoring.cache import Cache, FetchedVersion
from serving.scoring.scorer import (
    SCORER_FILE,
    Predictions,
    Scorer,
    deriving,
    load_scorer,
)

GOLDEN_FILE = "golden.json"
PARITY_FILE = "parity.json"


@dataclass(frozen=True)
class Golden:
    """Rows of the holdout, (n_rows,) values by column, and what the version must answer to them."""

    columns: dict[str, list[Any]]
    expected: Predictions

    @property
    def rows(self) -> list[list[Any]]:
        """The values of each row, in the order of the columns."""
        return [list(row) for row in zip(*self.columns.values(), strict=True)]


@dataclass(frozen=True)
class ServedVersion:
    """A version that may answer; `digest` is the SHA-256 of its manifest."""

    name: str
    version: str
    digest: str
    use_case: UseCase
    scorer: Scorer
    golden: Golden | None = None


def load_version(
    folder: Path,
    name: str,
    version: str,
    registered: str | None = None,
    code: Path | None = None,
) -> ServedVersion:
    """Verify the package in `folder` and load it; Refused says what is not right.

    `registered` is the digest that it must have, None where nobody knows one.

    The compiled scorer answers; the scikit-learn pipeline does only where there is none and the
    use case says `serving.allow_sklearn: true`. No code of the package runs: the user's own class
    comes from the folder `code` of this installation, if it holds the very file.
    """
    try:
        digest = verify(folder, registered)
        text = (folder / USE_CASE_FILE).read_text(encoding="utf-8")
        use_case = parse_frozen(text, folder)
        scorer = _scorer(folder, use_case, code)
        if set(scorer.features) != set(use_case.features):
            read, declared = ", ".join(scorer.features), ", ".join(use_case.features)
            raise Refused(f"its scorer reads {read}, and its use case declares {declared}.")
        golden = _golden(folder, use_case)
        return ServedVersion(name, version, digest, use_case, deriving(scorer, use_case), golden)
    except (FourcycleError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(f"Version {version} of {name} can't be served: {error}") from error


def load_fetched(
    cache: Cache, name: str, fetched: FetchedVersion, code: Path | None = None
) -> ServedVersion:
    """A version of the cache; Refused where it can't be loaded.

    It is marked as doubted then, so that the follower looks at it again.
    """
    folder = cache.version_folder(fetched.digest)
    try:
        return load_version(folder, name, fetched.version, fetched.digest, code)
    except Refused:
        cache.doubt(fetched.digest)
        raise


def check_golden(served: ServedVersion) -> None:
    """Let the version answer its golden rows; Refused unless it answers as it must."""
    what = f"Version {served.version} of {served.name}"
    if served.golden is None:
        raise Refused(f"{what} can't be served: its package holds no {SCORER_DIR}/{GOLDEN_FILE}.")
    check_answers(served, served.scorer.score(served.golden.columns), served.golden.expected)


def check_answers(
    served: ServedVersion, answers: Predictions, expected: Predictions, by: str = ""
) -> None:
    """Compare answers to golden rows with the expected ones, (n_rows,) each.

    `by` names the route that gave them. Refused unless they agree (serving.scoring.agreement).
    """
    agreement = compare(answers, expected)
    if not agreement.holds:
        raise Refused(
            f"Version {served.version} of {served.name} can't be served: on its {agreement.rows} "
            f"golden rows the answers{by} are up to {agreement.max_difference:.3g} off and "
            f"{agreement.labels_differ} labels differ."
        )


def _scorer(folder: Path, use_case: UseCase, code: Path | None) -> Scorer:
    reason = _not_compiled(folder / SCORER_DIR)
    if reason is None:
        return load_scorer(folder / SCORER_DIR)
    if not use_case.serving.allow_sklearn:
        raise Refused(
            f"{reason} The use case may say serving.allow_sklearn: true to have it served, slower, "
            "by its scikit-learn pipeline."
        )
    try:
        from serving.scoring.sklearn_scorer import open_pipeline, pipeline_scorer
    except ModuleNotFoundError as error:
        raise Refused(
            f"{reason} Its scikit-learn pipeline would answer, and {error.name} is not installed "
            "here: an image of the service with the extra sklearn has it."
        ) from error

    return pipeline_scorer(open_pipeline(folder, code), use_case)


def _not_compiled(folder: Path) -> str | None:
    """Why there is no compiled scorer to answer; None where there is one, with its proof."""
    if not (folder / SCORER_FILE).is_file():
        return "Its package holds no compiled scorer."
    plan = json.loads((folder / SCORER_FILE).read_text(encoding="utf-8"))
    if reason := plan.get("not_compiled"):
        return str(reason)
    proof = (folder / PARITY_FILE).read_bytes()
    if (
        hashlib.sha256(proof).hexdigest() != plan["parity"]
        or json.loads(proof)["holds"] is not True
    ):
        return "Its compiled scorer comes without the proof that it answers like the pipeline."
    return None


def _golden(folder: Path, use_case: UseCase) -> Golden | None:
    file = folder / SCORER_DIR / GOLDEN_FILE
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    columns: dict[str, list[Any]] = content["columns"]
    for name in (n for n in columns if use_case.columns[n].type == "timestamp"):
        columns[name] = [v if v is None else datetime.fromisoformat(v) for v in columns[name]]
    return Golden(columns, Predictions(content["prediction"], content["probability"]))

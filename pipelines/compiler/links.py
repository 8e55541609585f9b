"""How a graph ends: the link from margins to answers, and what an estimator leaves behind."""

from dataclasses import dataclass
from typing import Any

from pipelines.compiler.columns import refused
from pipelines.compiler.onnx_graph import GraphBuilder


@dataclass(frozen=True)
class EstimatorOutput:
    """Name of the output, its width (n_classes, or 1 for a regression), split values by column."""

    name: str
    width: int
    splits: dict[int, list[float]]


def linked(
    builder: GraphBuilder, name: str, estimator: Any, margin: str, width: int, link: str
) -> tuple[str, int]:
    """Name and width of the answers (n_rows, width) to margins, by a link of treelite's name.

    Refused where the link is none that is known.
    """
    match link:
        case "identity" | "identity_multiclass":
            return margin, width
        case "exponential":
            return builder.node("Exp", margin), width
        case "softmax":
            return builder.node("Softmax", margin, axis=1), width
        case "sigmoid" if hasattr(estimator, "classes_"):
            chance = builder.node("Sigmoid", margin)
            other = builder.node("Sub", builder.constant(1.0), chance)
            return builder.node("Concat", other, chance, axis=1), 2
    raise refused(name, estimator, f"its link {link!r} is not known")

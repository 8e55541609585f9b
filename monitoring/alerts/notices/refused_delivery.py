"""A delivery of the source was refused: nothing of it is in `raw`."""

from monitoring.alerts.notice import Notice, NoticeKind

REFUSED_DELIVERY = NoticeKind(
    name="refused_delivery",
    wrong="DELIVERY_REFUSED",
    well="DELIVERY_TAKEN",
    recovered="A delivery of the source was taken in again.",
    next_steps=(
        "Look at the report of the run, and have the source corrected: nothing of this delivery "
        "was taken in. Then: fourcycle main --use-case {name}.",
    ),
)


def refused(content: str, reasons: tuple[str, ...], report: str) -> Notice:
    """The delivery with this content hash was refused for these reasons."""
    return Notice(REFUSED_DELIVERY, content, reasons, report)


def taken() -> Notice:
    """What the source holds was taken in, or is known."""
    return Notice(REFUSED_DELIVERY)

"""The kinds of notices by name. One more is a file beside this one and a line here."""

from collections.abc import Mapping
from datetime import datetime

from contract.store.ledger import ShownRegistry
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.alerts.notice import Notice, NoticeKind
from monitoring.alerts.notices.gate_refused import GATE_REFUSED
from monitoring.alerts.notices.job_failed import JOB_FAILED
from monitoring.alerts.notices.late_delivery import LATE_DELIVERY
from monitoring.alerts.notices.moved_by_hand import MOVED_BY_HAND
from monitoring.alerts.notices.refused_delivery import REFUSED_DELIVERY
from monitoring.alerts.notices.waits_for_approval import WAITS_FOR_APPROVAL

NOTICES: Mapping[str, NoticeKind] = {
    kind.name: kind
    for kind in (
        REFUSED_DELIVERY,
        LATE_DELIVERY,
        GATE_REFUSED,
        WAITS_FOR_APPROVAL,
        MOVED_BY_HAND,
        JOB_FAILED,
    )
}


def look(
    use_case: UseCase, tables: Tables, now: datetime, shown: ShownRegistry | None = None
) -> list[Notice]:
    """How it stands with every kind of which the tables, and what the registry shows, tell."""
    found = (kind.look(use_case, tables, now, shown) for kind in NOTICES.values() if kind.look)
    return [notice for notice in found if notice is not None]

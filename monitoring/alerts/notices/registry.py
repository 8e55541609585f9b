"""The kinds of notices by name. One more is a file beside this one and a line here."""

from collections.abc import Mapping
from datetime import datetime

from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.alerts.notice import Notice, NoticeKind
from monitoring.alerts.notices.late_delivery import LATE_DELIVERY
from monitoring.alerts.notices.refused_delivery import REFUSED_DELIVERY

NOTICES: Mapping[str, NoticeKind] = {kind.name: kind for kind in (REFUSED_DELIVERY, LATE_DELIVERY)}


def look(use_case: UseCase, tables: Tables, now: datetime) -> list[Notice]:
    """How it stands with every kind of which the tables tell."""
    found = (kind.look(use_case, tables, now) for kind in NOTICES.values() if kind.look)
    return [notice for notice in found if notice is not None]

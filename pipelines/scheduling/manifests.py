"""The folder of a use case for kustomize: its name, its file and the times of its jobs."""

from pathlib import Path

import yaml

from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job
from pipelines.scheduling.due import deadline_s, pause

FILES = "/use-case"  # where the pods of docker/kubernetes have a use case of one's own
HEAD = "# Written by: fourcycle schedule --use-case {} --kubernetes {}\n"
API = "kustomize.config.k8s.io/v1beta1"


def kustomization(use_case: UseCase, called: str, place: str) -> dict[str, str]:
    """Texts by file name. `called` is a shipped name or the path of a file, which goes along.

    `place` is the overlay, as people name it.
    """
    own = Path(called) if Path(called).suffix in (".yaml", ".yml") else None
    named = f"{FILES}/{own.name}" if own else use_case.name
    texts = {} if own is None else {own.name: own.read_text(encoding="utf-8")}
    generators = [
        {"name": "settings", "behavior": "merge", "literals": [f"USE_CASE={named}"]},
        *({"name": "use-case", "files": [file]} for file in texts),
    ]
    document = {
        "apiVersion": API,
        "kind": "Kustomization",
        "namePrefix": f"{use_case.name}-",
        "commonLabels": {"app.kubernetes.io/instance": use_case.name},
        "bases": ["../use-case"],
        "configMapGenerator": generators,
    }
    if use_case.jobs:
        document["patchesStrategicMerge"] = ["times.yaml"]
        patches = [times(use_case, job) for job in use_case.jobs]
        texts["times.yaml"] = yaml.safe_dump_all(patches, sort_keys=False)
    head = HEAD.format(called, place)
    texts["kustomization.yaml"] = head + yaml.safe_dump(document, sort_keys=False)
    return texts


def times(use_case: UseCase, job: Job) -> dict[str, object]:
    """A patch that lets a CronJob run: when, by whose clock, and for how long at most."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": job},
        "spec": {
            "schedule": use_case.jobs[job],
            "timeZone": use_case.time_zone,
            "suspend": False,
            "jobTemplate": {"spec": {"activeDeadlineSeconds": longest_s(use_case, job)}},
        },
    }


def longest_s(use_case: UseCase, job: Job) -> int:
    """How long all attempts of a job take at most, with the pauses between them, seconds."""
    schedule = use_case.schedule
    pauses = (pause(schedule, failures) for failures in range(1, schedule.attempts))
    pauses_s = sum(each.total_seconds() for each in pauses)
    return round(schedule.attempts * deadline_s(job, use_case) + pauses_s) + 1


def write(texts: dict[str, str], overlay: Path, name: str) -> Path:
    """Write the folder of a use case into an overlay; the folder."""
    folder = overlay / name
    folder.mkdir(exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder

"""The CronJobs: valid, those of the use case, without root, token or known secret."""

import re
from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr

from contract.settings import Settings
from contract.use_case.loader import load_use_case
from contract.use_case.sections.schedule import Job
from pipelines.runtime.code_hash import PROJECT
from pipelines.scheduling.due import deadline_s, pause

FOLDER = PROJECT / "docker/kubernetes"
FLIGHTS = load_use_case("flights")
AWS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


CRON_JOBS: dict[Job, dict[str, Any]] = {
    found["metadata"]["name"].removeprefix("flights-"): found for found in documents("jobs.yaml")
}


def pod(cron_job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def test_the_manifests_are_what_kubernetes_takes() -> None:
    version = kubernetes_validate.latest_version()
    listed = documents("kustomization.yaml")[0]["resources"]
    assert {*listed, "kustomization.yaml"} == {file.name for file in FOLDER.iterdir()}
    for manifest in [found for name in listed for found in documents(name)]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_manifest_is_refused() -> None:
    (wrong,) = documents("tables.yaml")
    wrong["spec"]["accessMode"] = wrong["spec"].pop("accessModes")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_times_and_commands_are_those_of_the_use_case() -> None:
    times = {job: found["spec"]["schedule"] for job, found in CRON_JOBS.items()}
    assert times == FLIGHTS.jobs
    for job, found in CRON_JOBS.items():
        assert found["spec"]["timeZone"] == FLIGHTS.time_zone
        command = ["python", "-m", "pipelines.schedule", "--use-case", "flights", "--job", job]
        assert pod(found)["containers"][0]["command"] == command


def test_the_jobs_differ_in_nothing_else() -> None:
    texts = set()
    for job, found in deepcopy(CRON_JOBS).items():
        del found["spec"]["schedule"], pod(found)["containers"][0]["resources"]
        del found["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
        texts.add(yaml.safe_dump(found).replace(job, "<job>"))
    assert len(texts) == 1


@pytest.mark.parametrize("job", CRON_JOBS)
def test_a_job_never_overlaps_itself_and_has_no_right_that_it_does_not_need(job: Job) -> None:
    spec = CRON_JOBS[job]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"]
    schedule = FLIGHTS.schedule
    pauses_s = sum(pause(schedule, n).total_seconds() for n in range(1, schedule.attempts))
    longest_s = schedule.attempts * deadline_s(job, FLIGHTS) + pauses_s
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] >= longest_s
    found = pod(CRON_JOBS[job])
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"] is True
    (container,) = found["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("job", CRON_JOBS)
def test_secrets_come_from_a_secret_and_are_all_named(job: Job) -> None:
    (container,) = pod(CRON_JOBS[job])["containers"]
    names = {e["name"] for e in container["env"] if "secretKeyRef" in e.get("valueFrom", {})}
    secret = {n for n, info in Settings.model_fields.items() if info.annotation is SecretStr}
    assert {f"FOURCYCLE_{n.upper()}" for n in secret} | AWS <= names
    plain = [e["name"] for e in container["env"] if "value" in e]
    assert [n for n in plain if re.search("PASSWORD|SECRET|KEY|TOKEN", n)] == []


@pytest.mark.parametrize("job", CRON_JOBS)
def test_every_setting_can_be_set_and_states_are_kept_wherever_tables_lie(job: Job) -> None:
    (container,) = pod(CRON_JOBS[job])["containers"]
    (defaults,) = documents("defaults.yaml")
    # Of several sources the last one wins, and `env` wins over all of them.
    sources = [source["configMapRef"]["name"] for source in container["envFrom"]]
    assert sources == [defaults["metadata"]["name"], "fourcycle"]
    fixed = {e["name"]: e["value"] for e in container["env"] if "value" in e}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert fixed == {"HOME": mounts["tables"]}
    assert defaults["data"]["FOURCYCLE_ROOT"] == mounts["tables"]


def test_the_image_is_the_one_that_compose_builds() -> None:
    compose = yaml.safe_load((PROJECT / "docker/compose.yaml").read_text(encoding="utf-8"))
    images = {pod(found)["containers"][0]["image"] for found in CRON_JOBS.values()}
    assert images == {compose["services"]["jobs"]["image"]}
    dockerfile = (PROJECT / "docker/jobs.Dockerfile").read_text(encoding="utf-8")
    assert {pod(found)["securityContext"]["runAsUser"] for found in CRON_JOBS.values()} == {
        int(user) for user in re.findall(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    }

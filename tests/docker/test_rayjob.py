"""The RayJob: fields that KubeRay knows, the locked Ray, a command that is one, few rights."""

import json
import re
import shlex
from typing import Any

import jsonschema
import pytest
import typer

from contract.settings import Settings, secret_variables
from docs.site.pages.settings import variable
from pipelines import score
from pipelines.scoring.engines.registry import ENGINES
from tests.support.kubernetes import FOLDER, Manifest, needs_kubectl, of_kind, rendered
from tests.support.project import PROJECT

pytestmark = needs_kubectl
FOREIGN = {"AWS_REGION", "OMP_NUM_THREADS", "RAY_USAGE_STATS_ENABLED"}
SCHEMA = json.loads((FOLDER / "ray/rayjob.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return rendered(FOLDER / "ray")


@pytest.fixture(scope="module")
def job(manifests: list[Manifest]) -> Manifest:
    (found,) = of_kind(manifests, "RayJob").values()
    return found


@pytest.fixture(scope="module")
def templates(job: Manifest) -> list[Manifest]:
    """The pods that it makes: who hands the command over, the head, workers."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [job["spec"]["submitterPodTemplate"], *(group["template"] for group in groups)]


def test_it_has_the_fields_that_its_schema_knows_and_no_other(job: Manifest) -> None:
    check = jsonschema.Draft202012Validator(SCHEMA)
    check.validate(job)
    for wrong in (
        job | {"spec": job["spec"] | {"entryPoint": "python"}},
        job | {"spec": job["spec"] | {"backoffLimit": "two"}},
        job | {"metadata": job["metadata"] | {"name": "a" * 48}},  # KubeRay adds to it
    ):
        with pytest.raises(jsonschema.ValidationError):
            check.validate(wrong)


def test_its_ray_is_the_locked_one(job: Manifest) -> None:
    lock = (PROJECT / "scripts/tools/scale.lock").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ray==(\S+)", lock, re.MULTILINE)
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version


def test_its_command_is_one_of_score_by_ray(job: Manifest) -> None:
    python, *module, use_case, name = shlex.split(job["spec"]["entrypoint"])[:5]
    assert (python, module) == ("/opt/venv/bin/python", ["-m", "pipelines.score"])
    assert (use_case, name) == ("--use-case", "flights")
    app = typer.Typer()
    app.command()(score.main)
    words = shlex.split(job["spec"]["entrypoint"])[3:]
    with typer.main.get_command(app).make_context("score", words) as context:
        assert context.params["engine"] in set(ENGINES) - {"local"}
        assert re.match(r"s3://|[a-z]+$", context.params["source"])  # what every pod reaches
        assert context.params["target"].startswith("s3://")


def test_a_pod_has_no_right_that_it_does_not_need(templates: list[Manifest]) -> None:
    for template in templates:
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsUser"] == 10001
        (found,) = pod["containers"]
        assert found["image"].startswith("fourcycle-jobs:")
        assert found["resources"]["limits"].keys() == {"memory"}
        mounts = {mount["name"]: mount["mountPath"] for mount in found["volumeMounts"]}
        assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
        assert mounts["secrets"] == variables(found)["FOURCYCLE_SECRETS"]


def test_names_of_settings_exist_and_no_secret_is_a_variable(templates: list[Manifest]) -> None:
    settings = {variable(name, field) for name, field in Settings.model_fields.items()}
    for template in templates:
        (found,) = template["spec"]["containers"]
        names = variables(found).keys()
        assert names <= settings | FOREIGN
        assert names & set(secret_variables()) == set()


def test_its_pods_reach_each_other(manifests: list[Manifest], templates: list[Manifest]) -> None:
    (policy,) = of_kind(manifests, "NetworkPolicy").values()
    chosen = policy["spec"]["podSelector"]["matchLabels"]
    assert policy["spec"]["ingress"][0] == {"from": [{"podSelector": {"matchLabels": chosen}}]}
    for template in templates:
        assert chosen.items() <= template["metadata"]["labels"].items()


def test_a_worker_has_the_cores_that_ray_is_told_of(job: Manifest) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        (worker,) = group["template"]["spec"]["containers"]
        assert worker["resources"]["requests"]["cpu"] == group["rayStartParams"]["num-cpus"]


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}

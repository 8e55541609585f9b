"""The manifests: valid, those of the use case, without root, token or secret in a variable."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from contract.settings import Settings, secret_variables
from contract.use_case.loader import load_use_case
from contract.use_case.sections.schedule import Job
from docs.site.pages.settings import variable
from pipelines.scheduling.manifests import kustomization, longest_s, write
from serving.__main__ import FINISH_S, SHIP_LAST_S
from tests.support.kubernetes import (
    FOLDER,
    OVERLAYS,
    Manifest,
    container,
    needs_kubectl,
    of_kind,
    pods,
    rendered,
    shipped,
)
from tests.support.project import PROJECT
from tests.support.rounds import FULL

pytestmark = needs_kubectl
COMPOSE = yaml.safe_load((PROJECT / "docker/compose.yaml").read_text(encoding="utf-8"))
SCHEMAS = {
    (schema := json.loads(file.read_text(encoding="utf-8")))["properties"]["kind"]["const"]: schema
    for file in (FOLDER / "schemas").iterdir()
}
JOBS = get_args(Job)
# What is read by others than us: the shell's own command, libraries, MLflow's server.
FOREIGN = {
    *("ALLOWED_HOSTS", "MORE", "USE_CASE", "HOME", "AWS_REGION", "OMP_NUM_THREADS"),
    *("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"),
    *("MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_AUTH_CONFIG_PATH", "MLFLOW_BACKEND_STORE_URI"),
}


def tool(lock: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """A foreign program, from its own lock."""
    words = ["sh", "scripts/tool", lock, *command]
    return subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)


def complaints(manifests: list[Manifest], folder: Path) -> list[str]:
    """What kubernetes-validate says that is no praise: mistakes, and unknown kinds."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
    done = tool("manifests", "kubernetes-validate", "--strict", str(file))
    lines = (done.stdout + done.stderr).splitlines()
    found = [line for line in lines if not line.startswith("INFO")]
    assert len(lines) - len(found) == len(manifests) or found, lines
    return found


def test_the_manifests_are_what_kubernetes_takes(tmp_path: Path) -> None:
    manifests = [found for overlay in OVERLAYS for found in shipped(overlay)]
    own = [found for found in manifests if found["kind"] in SCHEMAS]
    assert {found["kind"] for found in own} == SCHEMAS.keys()
    for found in own:
        jsonschema.Draft202012Validator(SCHEMAS[found["kind"]]).validate(found)
    assert complaints([found for found in manifests if found not in own], tmp_path) == []


def test_a_wrong_field_and_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    (claim,) = of_kind(shipped("prod"), "PersistentVolumeClaim").values()
    wrong = claim | {"spec": claim["spec"] | {"accessMode": ["ReadWriteMany"]}}
    assert "accessMode" in complaints([wrong], tmp_path)[0]
    (unknown,) = of_kind(shipped("prod"), "ServiceMonitor").values()
    assert "Couldn't find schema" in complaints([unknown], tmp_path)[0]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_custom_kind_has_no_field_that_its_schema_does_not_know(kind: str) -> None:
    (right,) = of_kind(shipped("prod"), kind).values()
    wrong = right | {"spec": right["spec"] | {"intervall": "15s"}}
    with pytest.raises(jsonschema.ValidationError, match="intervall"):
        jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(wrong)


@pytest.mark.skipif(not FULL, reason="takes minutes to install: make faults")
def test_what_checkov_finds_is_answered_and_nothing_else_is(tmp_path: Path) -> None:
    answers = yaml.safe_load((FOLDER / "checkov.yaml").read_text(encoding="utf-8"))
    answered = answers.pop("skip-check")
    (tmp_path / "checkov.yaml").write_text(yaml.safe_dump(answers), encoding="utf-8")
    found = set()
    for overlay in OVERLAYS:
        file = tmp_path / f"{overlay}.yaml"
        file.write_text(yaml.safe_dump_all(shipped(overlay)), encoding="utf-8")
        told = ("--config-file", str(tmp_path / "checkov.yaml"), "-o", "json", "-f", str(file))
        report = json.loads(tool("scan", "checkov", *told).stdout)
        assert report["summary"]["parsing_errors"] == 0
        assert report["summary"]["passed"] > 300
        found |= {check["check_id"] for check in report["results"]["failed_checks"]}
    assert found == set(answered)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_folder_of_a_use_case_is_what_the_command_writes(overlay: str) -> None:
    place = f"docker/kubernetes/overlays/{overlay}"
    texts = kustomization(load_use_case("flights"), "flights", place)
    folder = PROJECT / place / "flights"
    assert texts == {file.name: file.read_text("utf-8") for file in folder.iterdir()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_jobs_run_when_the_use_case_says_and_no_other_runs(overlay: str) -> None:
    flights = load_use_case("flights")
    found = {
        name.removeprefix("flights-"): job["spec"]
        for name, job in of_kind(shipped(overlay), "CronJob").items()
    }
    assert set(found) == {*JOBS, "train"}
    running = {job: spec["schedule"] for job, spec in found.items() if not spec["suspend"]}
    assert running == flights.jobs
    for job in flights.jobs:
        assert found[job]["timeZone"] == flights.time_zone
        assert found[job]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == longest_s(flights, job)
    assert {spec["concurrencyPolicy"] for spec in found.values()} == {"Forbid"}


def test_commands_name_the_use_case_and_the_job() -> None:
    prod = shipped("prod")
    named = ["--use-case", "flights"]
    assert container(prod, "flights-serving").command == ["python", "-m", "serving", *named]
    train = ["python", "-m", "pipelines.main", *named]
    assert container(prod, "flights-train").command == train
    for job in JOBS:
        command = ["python", "-m", "pipelines.schedule", *named, "--job", job]
        assert container(prod, f"flights-{job}").command == command


def test_a_use_case_of_ones_own_stands_beside_the_shipped_one(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes/overlays/prod"
    text = (PROJECT / "use_cases/penguins.yaml").read_text(encoding="utf-8")
    own = tmp_path / "sales.yaml"
    schedule = 'schedule: {pipeline: "5 4 * * 1", attempts: 2}\n'
    own.write_text(text.replace("name: penguins", "name: sales") + schedule, encoding="utf-8")
    use_case = load_use_case(str(own))
    write(kustomization(use_case, str(own), str(overlay)), overlay, use_case.name)
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text("utf-8").replace("flights]", "flights, sales]"), "utf-8")
    made = rendered(overlay)
    running = [n for n, j in of_kind(made, "CronJob").items() if not j["spec"]["suspend"]]
    assert {name for name in running if name.startswith("sales")} == {"sales-pipeline"}
    sales = container(made, "sales-serving")
    assert sales.command[-1] == "/use-case/sales.yaml"
    mounted = {volume["name"]: volume for volume in pods(made)["sales-serving"]["volumes"]}
    held = of_kind(made, "ConfigMap")[mounted["use-case"]["configMap"]["name"]]
    assert held["data"] == {"sales.yaml": own.read_text("utf-8")}
    selectors = [d["spec"]["selector"] for d in of_kind(made, "Service").values()]
    assert len({str(selector) for selector in selectors}) == 3


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_no_right_that_it_does_not_need(overlay: str) -> None:
    users = set()
    for pod in pods(shipped(overlay)).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        users.add(pod["securityContext"]["runAsUser"])
        (found,) = pod["containers"]
        assert found["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"memory"} == found["resources"]["limits"].keys()
    assert users == {10001}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_images_are_those_that_compose_builds(overlay: str) -> None:
    built = {s["image"] for s in COMPOSE["services"].values() if "build" in s}
    assert {pod["containers"][0]["image"] for pod in pods(shipped(overlay)).values()} == built


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_names_of_settings_exist_and_no_secret_is_a_variable(overlay: str) -> None:
    settings = {variable(name, field) for name, field in Settings.model_fields.items()}
    secret = set(secret_variables())
    manifests = shipped(overlay)
    for name, pod in pods(manifests).items():
        made = container(manifests, name)
        (spec,) = pod["containers"]
        set_here = {entry["name"] for entry in spec["env"]}
        for source in spec["envFrom"]:
            data = of_kind(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
            set_here |= data.keys()
        assert set_here <= settings | FOREIGN
        assert set_here & secret == set()
        assert [n for n in set_here if re.search("PASSWORD|SECRET_|TOKEN", n)] == []
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["volumeMounts"]}
        assert made.environment.get("FOURCYCLE_SECRETS", mounts["secrets"]) == mounts["secrets"]
        (held,) = [v["secret"] for v in pod["volumes"] if "secret" in v]
        kind = spec["image"].partition(":")[0].removeprefix("fourcycle-")
        assert (held["secretName"], held["optional"]) == (f"fourcycle-{kind}", True)


def test_a_pod_of_the_service_has_the_time_that_its_last_answers_need() -> None:
    pod = pods(shipped("prod"))["flights-serving"]
    pause_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    drain_s = Settings.model_fields["serve_drain_s"].default
    needed_s = pause_s + drain_s + FINISH_S + SHIP_LAST_S
    assert needed_s < pod["terminationGracePeriodSeconds"]


def test_who_is_watched_and_scaled_is_the_service() -> None:
    prod = shipped("prod")
    service = of_kind(prod, "Service")["flights-serving"]
    (monitor,) = of_kind(prod, "ServiceMonitor").values()
    watched = monitor["spec"]["selector"]["matchLabels"]
    assert watched.items() <= service["metadata"]["labels"].items()
    (endpoint,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    assert endpoint["port"] == port["name"]
    deployment = of_kind(prod, "Deployment")["flights-serving"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (budget,) = of_kind(prod, "PodDisruptionBudget").values()
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (scaler,) = of_kind(prod, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "flights-serving"
    assert "replicas" not in deployment
    (metric,) = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in {rule.get("record") for rule in rules(prod)}


def rules(manifests: list[Manifest]) -> list[dict[str, Any]]:
    (found,) = of_kind(manifests, "PrometheusRule").values()
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def test_the_rules_are_those_of_compose() -> None:
    file = PROJECT / "docker/prometheus/rules.yaml"
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    (found,) = of_kind(shipped("prod"), "PrometheusRule").values()
    assert found["spec"]["groups"] == groups


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_may_connect_is_said_of_pods_and_ports_that_are_there(overlay: str) -> None:
    manifests = shipped(overlay)
    policies = of_kind(manifests, "NetworkPolicy")
    assert policies["fourcycle-nobody"]["spec"].get("ingress") is None
    for name in ("tracking", "serving"):
        spec = policies[f"fourcycle-{name}"]["spec"]
        (pod,) = [d for n, d in of_kind(manifests, "Deployment").items() if n.endswith(name)]
        template = pod["spec"]["template"]
        assert spec["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        (rule,) = spec["ingress"]
        ports = template["spec"]["containers"][0]["ports"]
        assert [p["port"] for p in rule["ports"]] == [p["containerPort"] for p in ports]

"""Settings from the environment, read in one place. `.env.example` lists them all."""

import getpass
import hashlib
import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.addresses import (
    SERVERS,
    SQLITE,
    scheme_of,
    sqlite_address,
    sqlite_file,
    without_credentials,
)
from contract.environment import take_secrets, troubles
from contract.errors import BadInput

SHOWN = 60  # characters
CODE_FOLDER = "FOURCYCLE_SERVE_CODE"  # set for the processes that a service or a check starts

LOCAL = ("log_spool", "secrets", "serve_cache", "serve_code")  # folders of this host

UI_PORT = 5000

LogSync = Literal["fsync", "os", "off"]
LogFullPolicy = Literal["serve", "reject"]
Follow = Literal["ledger", "alias"]
SmtpTls = Literal["offered", "required", "implicit"]


class Settings(BaseSettings):
    """Every setting has a default that works on one laptop; URIs move it to a cluster."""

    model_config = SettingsConfigDict(env_prefix="FOURCYCLE_", frozen=True, extra="ignore")

    tracking_uri: str = Field(
        default="sqlite:///mlflow.db",
        validation_alias=AliasChoices("MLFLOW_TRACKING_URI", "tracking_uri"),
        description="MLflow tracking store: sqlite:///file, postgresql://... or http://server",
    )
    root: str = Field(
        default="",
        description="Where the tables live: a folder or s3://...; empty: data/ beside the database",
    )
    store_wait_s: float = Field(
        default=60.0,
        ge=0,
        description="How long jobs wait for a tracking address that does not answer, seconds",
    )
    actor: str = Field(
        default="",
        description="Who acts, a note beside the user that MLflow's server proves; empty: the user",
    )
    mlflow_user: str = Field(
        default="",
        validation_alias="MLFLOW_TRACKING_USERNAME",
        description="User that MLflow's server knows; empty: nobody is signed in",
    )
    sign_key: SecretStr = Field(
        default=SecretStr(""),
        description="Private key (Ed25519, PEM or its file) that signs versions; jobs only",
    )
    verify_key: str = Field(
        default="",
        description="Public key (PEM or its file); what it has not signed is not served",
    )
    secrets: str = Field(
        default="",
        description="Folder of secrets, a file each, named like its variable; empty: none. "
        "NAME_FILE names the file of one",
    )
    stages: bool = Field(
        default=True, description="Call MLflow's deprecated stage API; False: stages are tags"
    )
    ui_url: str = Field(
        default="",
        description="MLflow's user interface, for links on pages and in alerts; empty: where make "
        "ui runs, or the tracking server",
    )
    serve_host: str = Field(default="127.0.0.1", description="Address the service binds to")
    serve_port: int = Field(default=8080, ge=0, le=65535, description="Port of the service")
    serve_max_rows: int = Field(default=10_000, ge=1, description="Rows allowed in one request")
    serve_max_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1, description="Body size allowed, bytes"
    )
    serve_large_bytes: int = Field(
        default=256 * 1024,
        ge=0,
        description="Larger bodies are worked on by a process beside the worker, bytes",
    )
    serve_large_processes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="Such processes of one worker; 0: one less than it has cores, four at most",
    )
    serve_concurrency: int = Field(
        default=256, ge=1, description="Requests in work at once, in one worker; others get 503"
    )
    serve_body_s: float = Field(
        default=8.0, gt=0, description="Time allowed to send one body, seconds"
    )
    serve_keys: str = Field(
        default="", description="File of API keys (python -m serving.keys); empty: none is asked"
    )
    serve_prefix: str = Field(
        default="",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path that a front strips before it asks the service, such as /ml; for /docs",
    )
    serve_access_log: bool = Field(
        default=True, description="One JSON line for each request on standard error"
    )
    serve_poll_s: float = Field(default=5.0, gt=0, description="Registry poll interval, seconds")
    serve_follow: Follow = Field(
        default="ledger",
        description="What names the version to serve: ledger, or alias, which anybody may set",
    )
    serve_workers: int = Field(default=1, ge=1, le=64, description="Processes that answer requests")
    serve_drain_s: float = Field(
        default=1.0,
        ge=0,
        description="How long not-ready is shown before the service stops, seconds",
    )
    serve_shadow: bool = Field(
        default=False, description="Let the challenger score too, beside the answers"
    )
    trace_url: str = Field(
        default="",
        description="Where spans of requests go, OTLP over HTTP: http://collector:4318/v1/traces; "
        "empty: no tracing",
    )
    trace_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of requests that get a span, of those whose caller does not say",
    )
    serve_cache: str = Field(
        default="",
        description="Folder of fetched versions on this host; empty: .serving beside the database",
    )
    serve_code: str = Field(
        default="",
        description="Folder where the files of one's own estimators lie; empty: the use case's",
    )
    log_sync: LogSync = Field(
        default="fsync",
        description="A record before its answer: fsync (on the disk), os (in the kernel), off",
    )
    log_full: LogFullPolicy = Field(
        default="serve",
        description="When the spool's disk is full: serve (X-Logged: false) or reject (503)",
    )
    log_spool: str = Field(
        default="",
        description="Local folder of the spools, one for each root of tables; empty: .spool in "
        "the tables' folder, else beside the database",
    )
    log_segment_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1, description="Size at which a spool segment is closed, bytes"
    )
    log_segment_s: float = Field(
        default=5.0, gt=0, description="Age at which a spool segment is closed, seconds"
    )
    log_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the hashes of personal columns in the log: a long random text, kept",
    )
    ship_every_s: float = Field(
        default=5.0, gt=0, description="Shortest time between two commits of the shipper, seconds"
    )

    alert_webhook_url: SecretStr = Field(
        default=SecretStr(""), description="Where alerts go as signed JSON; empty: nowhere"
    )
    alert_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the webhook's signature: whsec_ and 24 to 64 bytes in base64",
    )
    alert_slack_url: SecretStr = Field(
        default=SecretStr(""), description="Incoming webhook of Slack or of what speaks like it"
    )
    alert_smtp_host: str = Field(default="", description="Mail server for alerts; empty: no mail")
    alert_smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server")
    alert_smtp_tls: SmtpTls = Field(
        default="offered",
        description="STARTTLS when offered, or required; implicit: TLS from the first byte",
    )
    alert_smtp_user: str = Field(default="", description="Who signs in; empty: nobody does")
    alert_smtp_password: SecretStr = Field(
        default=SecretStr(""), description="Its password, which goes over TLS only"
    )
    alert_mail_from: str = Field(default="", description="Sender of mailed alerts")
    alert_mail_to: str = Field(default="", description="Who gets them, with commas between")
    alert_deadline_s: float = Field(
        default=30.0, gt=0, description="How long one receiver is tried for one alert, seconds"
    )

    schedule_host: str = Field(
        default="127.0.0.1", description="Address at which the scheduler shows its health"
    )
    schedule_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of the scheduler's health"
    )

    feedback_deadline_h: float = Field(
        default=24.0,
        gt=0,
        description="Feedback whose prediction is not known after so long is overdue, hours",
    )

    @property
    def claimed(self) -> str:
        """Who acts by what the environment says, which proves nothing."""
        try:
            return self.actor or self.mlflow_user or getpass.getuser()
        except (KeyError, OSError):  # a container's user often has a number and no name
            return f"user {os.getuid()}"

    @property
    def code_folder(self) -> Path | None:
        """Where the files of the user's own estimators lie; None where nobody says so."""
        return Path(self.serve_code) if self.serve_code else None

    @property
    def home(self) -> Path:
        """Folder of a sqlite tracking database; the working folder for any other store."""
        if self.tracking_uri.startswith(SQLITE):
            return sqlite_file(self.tracking_uri).parent
        return Path.cwd()

    @property
    def store_uri(self) -> str:
        """The tracking store, absolute where it is a sqlite file."""
        if self.tracking_uri.startswith(SQLITE):
            return sqlite_address(self.tracking_uri)
        return self.tracking_uri

    @property
    def ui_file(self) -> Path:
        """Holds the address of the user interface while one runs on a store of this host."""
        return self.home / ".ui"

    @property
    def ui_address(self) -> str:
        """Where people open MLflow: as set, the tracking server itself, where `ui` runs now, or
        where it will run unless another port is asked for. It never ends in a slash."""
        if self.ui_url:
            return self.ui_url.rstrip("/")
        if scheme_of(self.tracking_uri) in SERVERS:
            return without_credentials(self.tracking_uri).rstrip("/")
        try:
            return self.ui_file.read_text(encoding="utf-8")
        except OSError:
            return f"http://127.0.0.1:{UI_PORT}"

    @property
    def cache_root(self) -> Path:
        """Where the service keeps fetched versions, one folder for each use case.

        Services of two tracking servers may start in one folder: each has a cache of its own.
        """
        if self.serve_cache:
            return Path(self.serve_cache).expanduser().resolve()
        folder = self.home / ".serving"
        if self.tracking_uri.startswith(SQLITE):
            return folder
        scheme, _, rest = self.tracking_uri.partition("://")
        return folder / _folder_name(f"{scheme}://{rest.rpartition('@')[2].rstrip('/')}")

    @property
    def table_root(self) -> str:
        """Root of all tables, absolute where it is a folder."""
        if "://" in self.root:
            return self.root.rstrip("/")
        folder = Path(self.root).expanduser() if self.root else self.home / "data"
        return str(folder.resolve())

    def spool_folder(self, use_case: str) -> Path:
        """Where the workers of this host leave the answers of a use case for the shipper.

        It lies in the folder of tables that it feeds; elsewhere the root is in its path. So tables
        of two roots never share a spool, and those of one root have the same one, however the
        folder is spelt.
        """
        shared = self.shared_spools
        named = _folder_name(self.table_root)
        spools = shared / named if shared else Path(self.table_root) / ".spool"
        return spools / use_case

    @property
    def shared_spools(self) -> Path | None:
        """The folder in which spools of several roots may meet; None where there is none."""
        if self.log_spool:
            return Path(self.log_spool).expanduser().resolve()
        return self.home / ".spool" if "://" in self.table_root else None


def _folder_name(address: str) -> str:
    """An address as the name of a folder: people can read it, and no other address has it."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", address)[-SHOWN:].strip("-")
    return f"{readable}-{digest}"


def secret_variables() -> list[str]:
    """The variables whose values are secrets of ours."""
    fields = Settings.model_fields.items()
    return [f"FOURCYCLE_{name.upper()}" for name, of in fields if of.annotation is SecretStr]


def read_settings(root: str = "") -> Settings:
    """Settings of this process; `root` given on the command line wins over the environment.

    BadInput names everything that is wrong with them at once.
    """
    given: dict[str, Any] = {"root": root} if root else {}
    found = take_secrets(secret_variables(), os.environ)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found += [_trouble(problem) for problem in error.errors()]
        unusable = {str(problem["loc"][0]) for problem in error.errors()}
        settings = _without(unusable, given)
    addresses = (settings.tracking_uri, settings.root, settings.table_root)
    folders = {f"FOURCYCLE_{name.upper()}": getattr(settings, name) for name in LOCAL}
    if found := found + troubles(*addresses, folders, os.environ):
        many = f"{len(found)} settings can't be used:\n" if len(found) > 1 else ""
        raise BadInput(many + "\n".join(found))
    return settings


def _without(unusable: set[str], given: dict[str, Any]) -> Settings:
    """What the environment says but for some names, in whose place the defaults stand."""
    fields = Settings.model_fields
    defaults = {name: fields[name].default for name in fields if name in unusable}
    return Settings(**given | defaults)


def _trouble(problem: Any) -> str:
    """What pydantic found wrong with a setting; a secret takes any text, so none is shown."""
    name = str(problem["loc"][0])
    variable = name if name.isupper() else f"FOURCYCLE_{name.upper()}"
    wanted = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{variable}: {wanted}, found {problem['input']!r}."

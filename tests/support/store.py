"""A real S3 server (seaweedfs) that goes away and comes back."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import fs

from pipelines.replaying.service_process import free_port

CONFIG = """{"identities": [{"name": "t", "actions": ["Admin", "Read", "Write", "List"],
"credentials": [{"accessKey": "key", "secretKey": "secret-key"}]}]}"""


START_S = 120  # a quiet machine needs one second


class Store:
    """The server on ports of its own, with a bucket `tables`."""

    def __init__(self, folder: Path, volume_mb: int = 32) -> None:
        folder.mkdir()
        (folder / "s3.json").write_text(CONFIG)
        parts = ("master", "volume", "filer", "s3")
        ports = {part: free_port() for part in parts}
        options = [f"-{part}.port={port}" for part, port in ports.items()]
        options += [f"-{part}.port.grpc={free_port()}" for part in parts]
        options += [f"-s3.config={folder / 's3.json'}"]
        # Catalogues that nobody asks, one of them on a port that is the same for all servers.
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        options += ["-volume.max=50", f"-master.volumeSizeLimitMB={volume_mb}"]
        options += ["-master.electionTimeout=1s"]  # a second start waits for it: 10 s by default
        self._command = ["weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", *options]
        self._log = folder / "weed.log"
        self.endpoint = f"http://127.0.0.1:{ports['s3']}"
        self.root = "s3://tables/fourcycle"

    @property
    def environment(self) -> dict[str, str]:
        """The usual variables of a client."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret-key",
            "AWS_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start, and wait until the bucket is there and what it holds can be read."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        client = self.files()
        problem: OSError | None = None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                client.create_dir("tables")
                _read_something(client)
            except OSError as error:
                problem = error
                time.sleep(0.3)
            else:
                return
        raise AssertionError(f"the S3 server did not become ready: {problem}")

    def files(self) -> fs.S3FileSystem:
        """A client of the server."""
        return fs.S3FileSystem(
            endpoint_override=self.endpoint,
            access_key="key",
            secret_key="secret-key",
            region="us-east-1",
            allow_bucket_creation=True,
            allow_bucket_deletion=True,
            connect_timeout=1,
            request_timeout=5,
        )

    def kill(self) -> None:
        """Away, at once."""
        self._process.kill()
        self._process.wait()


def _read_something(client: fs.S3FileSystem) -> None:
    """OSError while the server does not find yet what it stored before."""
    held = client.get_file_info(fs.FileSelector("tables", recursive=True))
    for one in [info for info in held if info.is_file and info.size][:1]:
        with client.open_input_stream(one.path) as opened:
            opened.read(1)


@contextmanager
def running_store(folder: Path, patch: pytest.MonkeyPatch, volume_mb: int = 32) -> Iterator[Store]:
    """A store that runs, known to this process and to those that it starts; it holds 50 volumes."""
    store = Store(folder, volume_mb)
    for name, value in store.environment.items():
        patch.setenv(name, value)
    store.start()
    try:
        yield store
    finally:
        store.kill()

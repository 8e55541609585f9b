# The steps of the pipeline and of monitoring, one command per container. From the repository's root:
#   docker build -f docker/jobs.Dockerfile -t fourcycle-jobs .
# With Ray, for docker/kubernetes/ray: --build-arg EXTRAS=scale
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
# Debian's own `strip`, of which nothing reaches the image.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils
COPY requirements.lock pyproject.toml scripts/locked scripts/tools/scale.lock docker/slim.sh ./
ARG EXTRAS=pipelines
RUN sh locked uv > uv.txt \
    && pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv /opt/venv \
    && for extra in $EXTRAS; do set -- "$@" --extra "$extra"; done \
    && uv pip install --no-cache --python /opt/venv --require-hashes --compile-bytecode \
        -r pyproject.toml "$@" -c requirements.lock -c scale.lock \
    && sh slim.sh /opt/venv

# A backup needs pg_dump of the server's release or later: it is that of compose.yaml.
FROM postgres:17.6-bookworm AS postgres

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 HOME=/tmp \
    GX_ANALYTICS_ENABLED=false MPLCONFIGDIR=/tmp/matplotlib FOURCYCLE_ROOT=/data
# libpq5 for the libraries that PostgreSQL's own libpq needs too.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends liblz4-1 libpq5 libzstd1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=postgres /usr/lib/*-linux-gnu/libpq.so.5* /usr/local/lib/
COPY --from=postgres /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_restore /usr/local/bin/
RUN ldconfig && pg_dump --version
COPY --from=build /opt/venv /opt/venv
# KubeRay starts `ray` in a shell that may not know PATH.
RUN [ ! -e /opt/venv/bin/ray ] || ln -s /opt/venv/bin/ray /usr/local/bin/ray
COPY docker/secrets.sh /usr/local/lib/secrets.sh
WORKDIR /app
COPY MLproject conda.yaml pyproject.toml requirements.lock ./
COPY contract contract
COPY monitoring monitoring
COPY pipelines pipelines
COPY serving serving
COPY tracking tracking
COPY use_cases use_cases
# A backup names the release that made it, which Python tells of what is installed.
# Nobody can write to a container's root, so what is not compiled would be read anew each time; and a named volume
# takes over the owner of the folder that it covers.
RUN version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
    && about=$(echo /opt/venv/lib/python*/site-packages)/fourcycle-$version.dist-info \
    && install -d "$about" \
    && printf 'Metadata-Version: 2.1\nName: fourcycle\nVersion: %s\n' "$version" > "$about/METADATA" \
    && python -m compileall -q . \
    && install -d -o 10001 -g 10001 /data /backups
USER 10001
CMD ["python", "-m", "pipelines.main"]

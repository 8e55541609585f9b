# The steps of the pipeline and of monitoring, one command per container. From the repository's root:
#   docker build -f docker/jobs.Dockerfile -t fourcycle-jobs .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock pyproject.toml scripts/locked ./
RUN sh locked uv > uv.txt \
    && pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv /opt/venv \
    && uv pip install --no-cache --python /opt/venv --require-hashes --compile-bytecode \
        -r pyproject.toml --extra pipelines -c requirements.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false MPLCONFIGDIR=/tmp/matplotlib FOURCYCLE_ROOT=/data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY MLproject conda.yaml pyproject.toml requirements.lock ./
COPY contract contract
COPY monitoring monitoring
COPY pipelines pipelines
COPY serving serving
COPY tracking tracking
COPY use_cases use_cases
# A named volume takes over the owner of the folder that it covers.
RUN install -d -o 10001 -g 10001 /data
USER 10001
CMD ["python", "-m", "pipelines.main"]

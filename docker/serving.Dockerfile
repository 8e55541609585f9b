# The HTTP service that answers with the champion. From the repository's root:
#   docker build -f docker/serving.Dockerfile -t fourcycle-serving .
# Where a use case says `serving.allow_sklearn: true`, with scikit-learn too: --build-arg EXTRAS="serving sklearn"
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
# Debian's own `strip`, of which nothing reaches the image.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends binutils
COPY requirements.lock pyproject.toml scripts/locked ./
RUN sh locked uv > uv.txt \
    && pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv /opt/venv
ARG EXTRAS=serving
COPY docker/slim.sh ./
RUN for extra in $EXTRAS; do set -- "$@" --extra "$extra"; done \
    && uv pip install --no-cache --python /opt/venv --require-hashes \
        -r pyproject.toml "$@" -c requirements.lock \
    && sh slim.sh /opt/venv

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 HOME=/tmp \
    FOURCYCLE_ROOT=/data FOURCYCLE_SERVE_CACHE=/cache \
    FOURCYCLE_SERVE_HOST=0.0.0.0 FOURCYCLE_SERVE_PORT=8080
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY contract contract
COPY serving serving
COPY tracking tracking
COPY use_cases use_cases
# Compiled is what a service loads: nobody can write to a container's root, so the rest would be read anew each time.
RUN python -m compileall -q . \
    && python -c "import boto3, mlflow.artifacts, serving.__main__, serving.check, serving.follow, serving.follower, serving.shipper, serving.worker" \
    && python -c "from mlflow import MlflowClient; MlflowClient('http://localhost:5000')"
# A named volume takes over the owner of the folder that it covers.
RUN install -d -o 10001 -g 10001 /data /cache
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/ping', timeout=4)"]
CMD ["python", "-m", "serving"]

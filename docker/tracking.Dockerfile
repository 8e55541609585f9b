# The MLflow tracking server and registry, with what sign-in and S3 need. Build from the repository's root:
#   docker build -f docker/tracking.Dockerfile -t fourcycle-tracking .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock scripts/locked ./
RUN sh locked uv > uv.txt \
    && pip install --no-cache-dir --require-hashes -r uv.txt \
    && uv venv /opt/venv \
    && { for name in mlflow psycopg psycopg-binary flask-wtf boto3; do sh locked $name; done; } > wanted.txt \
    && uv pip install --no-cache --python /opt/venv --require-hashes --compile-bytecode \
        -r wanted.txt -c requirements.lock

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1 HOME=/tmp
COPY --from=build /opt/venv /opt/venv
COPY docker/secrets.sh /usr/local/lib/secrets.sh
# A named volume takes over the owner of the folder that it covers.
RUN install -d -o 10001 -g 10001 /artifacts
USER 10001
WORKDIR /artifacts
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/health', timeout=4)"]
ENTRYPOINT ["sh", "/usr/local/lib/secrets.sh"]
# The database is named by MLFLOW_BACKEND_STORE_URI.
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--artifacts-destination", "/artifacts", "--allowed-hosts", "tracking:5000,localhost:*,127.0.0.1:*"]

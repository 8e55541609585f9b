# Stands in for Prometheus' image where no registry answers: scripts/stand-ins.
FROM python:3.11.14-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends prometheus wget \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65534 -g 65534 /prometheus
USER 65534
ENTRYPOINT ["prometheus"]

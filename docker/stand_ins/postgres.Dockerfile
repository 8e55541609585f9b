# Stands in for PostgreSQL's image where no registry answers: scripts/stand-ins.
FROM python:3.11.14-slim-bookworm
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /var/run/postgresql \
    && install -d /docker-entrypoint-initdb.d
ENV PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY docker/stand_ins/postgres.sh /usr/local/bin/docker-entrypoint.sh
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/docker-entrypoint.sh"]
CMD ["postgres"]

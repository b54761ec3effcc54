# Atoll: one image for portal, relay, worker and migrations. Bases are references: give others, or a
# mirror's, as build arguments. Not built where this repository's tests run (no engine there).
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm
ARG HELM=docker.io/alpine/helm:4.2.3

FROM ${HELM} AS helm

FROM ${PYTHON} AS packages
COPY requirements/base.txt /tmp/base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/base.txt

FROM ${PYTHON}
RUN useradd --uid 65532 --home-dir /var/lib/atoll --create-home --shell /usr/sbin/nologin atoll
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=packages /venv /venv
COPY . /srv/atoll
# The packages at the top of the repository are found by the working folder.
WORKDIR /srv/atoll
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/srv/atoll \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=portal.settings \
    ATOLL_HOME=/var/lib/atoll \
    ATOLL_HELM=/usr/local/bin/helm
USER 65532:65532
EXPOSE 8000
CMD ["uvicorn", "portal.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--http", "portal.server:Protocol", "--no-proxy-headers", "--timeout-graceful-shutdown", "10"]

# wirewatch as an image: no root, no build tools, nothing to write but its state directory and /tmp.
#
#   docker build -t wirewatch .
#   docker run --init --rm -v "$PWD/config:/wirewatch/config:ro" -v wirewatch:/wirewatch/.wirewatch wirewatch
#
# is the whole service in one container (`wirewatch run`); docker-compose.yml has it in parts. Behind a mirror of PyPI:
# docker build --secret id=pip,src=/etc/pip.conf -t wirewatch . (the file is there while packages are fetched, and not
# in the image).

ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# What is installed into has no pip of its own; the one beside it installs.
RUN python -m venv /build && python -m venv --without-pip /opt/wirewatch
WORKDIR /source
COPY requirements.lock ./
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /build/bin/pip --python /opt/wirewatch/bin/python install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
# The lock file has what makes the wheel, too (the group "build" of pyproject.toml); a test holds this list to it.
RUN /build/bin/pip --python /opt/wirewatch/bin/python install --no-index --no-build-isolation --no-deps . \
 && /build/bin/pip --python /opt/wirewatch/bin/python uninstall --yes editables hatchling pathspec pluggy tomlkit trove-classifiers

FROM ${PYTHON}
LABEL org.opencontainers.image.title="wirewatch" \
      org.opencontainers.image.description="Watches news feeds for claims and alerts once per story, with the evidence" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/wirewatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
# A number that volumes can be given to, whatever the machine calls it.
RUN groupadd --system --gid 10001 wirewatch \
 && useradd --system --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin wirewatch \
 && install --directory --owner=10001 --group=10001 /wirewatch /wirewatch/.wirewatch
COPY --from=build /opt/wirewatch /opt/wirewatch
WORKDIR /wirewatch
COPY config config
USER 10001:10001
VOLUME /wirewatch/.wirewatch
EXPOSE 8484
# What is asked is the ledger: whether work goes on, and not whether a port answers.
HEALTHCHECK --interval=30s --timeout=20s --start-period=90s --retries=3 CMD ["wirewatch", "health"]
# Stops in order: what is in hand is finished or given back first.
STOPSIGNAL SIGTERM
ENTRYPOINT ["wirewatch"]
CMD ["run"]

# The dashboard as an image; scripts/image.sh builds it, docs/install.md says how it is run.
# Name the base by digest (BASE=python:3.11-slim@sha256:…) where your registry shows one.
ARG BASE=docker.io/library/python:3.11-slim

# Debian and Python without what nobody runs there.
FROM ${BASE} AS system
COPY scripts/trim_system.sh /tmp/
RUN /tmp/trim_system.sh && rm /tmp/trim_system.sh

FROM ${BASE} AS build
# Which of requirements/image-*.txt are added: kubernetes, s3, dask, in any order.
ARG EXTRAS="kubernetes"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# For strip; it stays in this stage, so that its version does not matter.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements.txt ./
COPY requirements/image-*.txt requirements/
# Every package with the hash of its file; wheels only, so that no compiler is needed. The environment has no pip.
RUN python3 -m venv --without-pip /opt/venv && \
    python3 -m pip --python /opt/venv/bin/python install --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement requirements.txt && \
    for extra in ${EXTRAS}; do \
        python3 -m pip --python /opt/venv/bin/python install --no-compile --no-deps --only-binary :all: \
            --require-hashes --requirement "requirements/image-${extra}.txt" || exit 1; \
    done
COPY scripts/trim_packages.sh scripts/
RUN scripts/trim_packages.sh /opt/venv
# What is imported is compiled, once and here; the root file system of a running one is read-only.
COPY . /app
ENV PATH=/opt/venv/bin:$PATH PYTHONPYCACHEPREFIX=/opt/pycache HOME=/tmp PYTHONPATH=/app \
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
WORKDIR /app
RUN python -m scripts.warm_image
# The package is not installed but lies in /app; this says its version.
ARG VERSION=0
RUN record="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kserve_client-${VERSION}.dist-info" && \
    mkdir "${record}" && \
    printf 'Metadata-Version: 2.1\nName: kserve-client\nVersion: %s\n' "${VERSION}" > "${record}/METADATA"

FROM scratch
ARG VERSION=0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="kserve-client" \
      org.opencontainers.image.description="A dashboard for models that speak the Open Inference Protocol (V2)" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# In one layer, since what is deleted in a second one still takes room in the first.
# hadolint ignore=DL3067
COPY --from=system / /
COPY --from=build /opt /opt
COPY . /app
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    PYTHONPATH=/app \
    PYTHONPYCACHEPREFIX=/opt/pycache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
WORKDIR /app
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["/app/scripts/entrypoint.sh", "health"]
ENTRYPOINT ["/app/scripts/entrypoint.sh"]

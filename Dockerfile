# One image for all that runs: api (the default), stream, worker, and any other command, such as migrate. See
# docs/deployment.md. Nothing in it is written to but /tmp and /var/lib/marketplace, so its root may be read-only.

FROM python:3.13-slim-trixie AS build

ENV UV_PROJECT_ENVIRONMENT=/opt/marketplace \
    UV_PYTHON=python3.13 \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore "uv>=0.9,<0.14"
WORKDIR /build

# What others wrote changes less often than what we wrote: it has a layer of its own.
COPY pyproject.toml uv.lock ./
# Of boto3 all is for S3, nothing is shown in another language, and nobody's tests run here: that is 60 MB.
RUN uv sync --frozen --no-default-groups --extra traces --no-install-workspace \
    && cd /opt/marketplace/lib/python3.13/site-packages \
    && find botocore/data boto3/data -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -r {} + \
    && find . \( -name '*.po' -o -name '*.mo' \) -delete \
    && find . -type d -name tests -prune -exec rm -r {} +

COPY README.md LICENSE ./
COPY packages packages
COPY project project
RUN uv sync --frozen --no-default-groups --extra traces --no-editable \
    && STATIC_ROOT=/opt/marketplace/static /opt/marketplace/bin/marketplace collectstatic --no-input --verbosity 0


FROM python:3.13-slim-trixie

RUN useradd --uid 10001 --user-group --home-dir /var/lib/marketplace --create-home --shell /usr/sbin/nologin marketplace
COPY --from=build /opt/marketplace /opt/marketplace

ENV PATH=/opt/marketplace/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/opt/marketplace/static \
    MARKETPLACE_DATA_DIR=/var/lib/marketplace \
    EMAIL_FILE_PATH=/var/lib/marketplace/mail \
    METRICS_HOST=0.0.0.0

USER marketplace
WORKDIR /var/lib/marketplace
# API, stream and, where METRICS_PORT says so, metrics.
EXPOSE 8001 8002 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-m", "marketplace.probe", "http://127.0.0.1:8001/api/health/live"]
ENTRYPOINT ["marketplace"]
CMD ["api", "--host", "0.0.0.0"]

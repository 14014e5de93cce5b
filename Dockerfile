# Two stages, so that what builds is not in what runs. Versions are those of requirements*.txt.
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/viam-mcp
ENV PATH=/opt/viam-mcp/bin:$PATH
WORKDIR /src
COPY requirements.txt requirements-tracing.txt requirements-postgres.txt requirements-build.txt ./
# With what sends traces, which is idle until OTEL_EXPORTER_OTLP_ENDPOINT says where to.
RUN pip install -r requirements-tracing.txt -r requirements-postgres.txt && python -m venv /opt/build && /opt/build/bin/pip install -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY LICENSES LICENSES
COPY viam_mcp ./viam_mcp
# Built with the pinned tools of another environment, which stays behind.
RUN cd /src && /opt/build/bin/python -m hatchling build -t wheel -d /dist \
    && pip install --no-deps /dist/*.whl \
    && python -m compileall -q /opt/viam-mcp \
    && pip uninstall --yes pip

FROM python:${PYTHON}-slim

RUN useradd --uid 10001 --create-home --home-dir /var/lib/viam-mcp --shell /usr/sbin/nologin viam-mcp
COPY --from=build /opt/viam-mcp /opt/viam-mcp
ENV PATH=/opt/viam-mcp/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 XDG_STATE_HOME=/var/lib
USER viam-mcp
# The store: operations, budgets, the audit; delivered credentials.
VOLUME /var/lib/viam-mcp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["viam-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--log-format", "json"]

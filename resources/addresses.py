"""Where this home's pages are: what `spice dev` tells its children, else the default ports."""

import os

GATEWAY_PORT = 3100
DAGSTER_PORT = 3000
GATEWAY_URL = "SPICE_GATEWAY_URL"
DAGSTER_URL = "SPICE_DAGSTER_URL"


def gateway_url() -> str:
    """Root of the HTTP API and the explorer page, without a trailing slash."""
    return os.environ.get(GATEWAY_URL, f"http://127.0.0.1:{GATEWAY_PORT}").rstrip("/")


def dagster_url() -> str:
    """Root of the Dagster UI, without a trailing slash."""
    return os.environ.get(DAGSTER_URL, f"http://127.0.0.1:{DAGSTER_PORT}").rstrip("/")

"""The Dagster UI behind our own door: `python -m gateway.ui_server`, started by the supervisor (`gateway/dev.py`).

The stock `dagster-webserver` command answers any `Host` and any `Origin`; this runs the same application inside
`WebGuard`. It reads the code location from the shared code server, so no user code is loaded here.
"""

import argparse
import contextlib
from collections.abc import AsyncIterator

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.applications import Starlette

from gateway.dev_processes import wait_for_socket
from gateway.web_guard import WebGuard, names_of

POLL_MILLISECONDS = 2000
CODE_SECONDS = 60.0


@contextlib.asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--location", required=True)
    given = parser.parse_args()
    wait_for_socket(given.socket, CODE_SECONDS)  # later it would be shown as broken until the next reload
    target = GrpcServerTarget(host="localhost", port=None, socket=given.socket, location_name=given.location)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, workspace_load_target=target, version=__version__) as context,
    ):
        app = create_app_from_workspace_process_context(context, "", POLL_MILLISECONDS, lifespan=_lifespan)
        uvicorn.run(
            WebGuard(app, names_of(given.host)),
            host=given.host,
            port=given.port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )


if __name__ == "__main__":
    main()

"""Files of a running `spice dev` inside its home: `dev/` (socket, workspace, temporary files) and `logs/dev/`."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.dev_processes import rotate
from resources.home import Home

SOCKET_PATH_BYTES = 100
"""A Unix socket's path has at most 104 bytes on macOS, 108 on Linux."""
NAME_BYTES = 40
"""Room for the names that Dagster and multiprocessing make up for their sockets."""


@dataclass(frozen=True)
class DevFiles:
    """Where one `spice dev` keeps its files; sockets of a home too deep for their paths go to the system's folder."""

    socket: Path
    workspace: Path
    logs: Path
    temporary: Path | None

    @classmethod
    def prepare(cls, home: Home, location: str, dev_id: str) -> "DevFiles":
        folder = home.root / "dev"
        logs = home.root / "logs" / "dev"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        folder.chmod(0o700)  # whoever reaches the socket can run code
        logs.mkdir(parents=True, exist_ok=True)
        (folder / "id").write_text(dev_id, encoding="utf-8")
        temporary: Path | None = folder / "tmp"
        socket = folder / "code.sock"
        if temporary is not None and len(str(temporary).encode()) + NAME_BYTES <= SOCKET_PATH_BYTES:
            temporary.mkdir()
        else:
            temporary = None
            socket = Path(tempfile.mkdtemp(prefix="spice-dev-")) / "code.sock"
        workspace = folder / "workspace.yaml"
        server = {"host": "localhost", "socket": str(socket), "location_name": location}
        lines = ["load_from:", "  - grpc_server:", *(f"      {key}: {value!r}" for key, value in server.items())]
        workspace.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return cls(socket, workspace, logs, temporary)

    @staticmethod
    def former_id(home: Home) -> str | None:
        """The id of the last `spice dev` of this home."""
        path = home.root / "dev" / "id"
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def environment(self) -> dict[str, str]:
        return {"TMPDIR": str(self.temporary)} if self.temporary is not None else {}

    def log(self, name: str) -> Path:
        """The log of a child; a large one of former times is put aside."""
        path = self.logs / f"{name}.log"
        rotate(path)
        return path

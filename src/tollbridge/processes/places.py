"""Where in the data directory does each thing lie?"""

from pathlib import Path

SOCKET_PATH_BYTES_MAX = 100  # the kernel allows 107, and abstract names are not portable


class Places:
    """The paths of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.spool = self.data_dir / "spool"
        self.secrets = self.data_dir / "secrets"
        self.master_key = self.data_dir / "master.key"
        self.database = self.data_dir / "tollbridge.db"
        self.jobs_database = self.data_dir / "jobs.db"
        self.link_socket = self._socket("link.sock")
        self.office_socket = self._socket("office.sock")

    def _socket(self, name: str) -> Path:
        path = self.data_dir / name
        if len(str(path).encode()) > SOCKET_PATH_BYTES_MAX:
            raise ValueError(f"the data directory's path is too long for a socket: {self.data_dir}")
        return path

"""Never two writers of one table: the lock of a home."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from resources.errors import SpiceError
from resources.locks import exclusive


def test_a_second_holder_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    with exclusive(tmp_path, "clean/people", holder="run 17"):
        with pytest.raises(SpiceError, match="clean/people is being written by run 17"):
            with exclusive(tmp_path, "clean/people", holder="run 18", wait_seconds=0):
                pass
        with exclusive(tmp_path, "clean/places", holder="run 18", wait_seconds=0):
            pass  # another table is free


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from resources.locks import exclusive
        with exclusive(Path(sys.argv[1]), "clean/people", holder="doomed"):
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=False)
    with exclusive(tmp_path, "clean/people", holder="next", wait_seconds=0):
        pass

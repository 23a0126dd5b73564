"""The page on commands as steps on a copy of the demo. `python -m tests.docs.commands_page HOME` writes its outputs
anew, from a finished demo's home.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.demo.correction import copy_home
from resources.home import PROJECT_ROOT, Home
from tests.docs.tutorial import Reader, done, steps
from tests.newcomer import newcomer

PAGE = PROJECT_ROOT / "docs" / "commands.md"
STEPS = steps(PAGE.read_text(encoding="utf-8"))


@contextmanager
def reader_with_demo(demo_home: Path, folder: Path) -> Iterator[Reader]:
    """Somebody with a clone in which `make demo` has run."""
    (folder / "home").mkdir()
    spice = newcomer(folder)
    copy_home(Home(demo_home), spice.home)
    with ExitStack() as stack:
        yield Reader(spice, folder / "home", stack)


def settled(output: str) -> str:
    """What is the same each time."""
    output = re.sub(r'("recorded_at": ?")[^"]+|20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z', r"\1NOW", output)
    output = re.sub(r'("position": ?|position )[0-9,]+', r"\1N", output)
    output = re.sub(r"34[0-9],[0-9]{3}", "N", output)
    return "\n".join(" ".join(line.split()) for line in output.splitlines())


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, reader_with_demo(Path(sys.argv[1]), Path(folder)) as one:
        outputs = [done(one, step) for step in STEPS]
    for step, output in reversed(list(zip(STEPS, outputs, strict=True))):
        if output:
            text = "".join(f"$ {command}\n{now}\n" if now else f"$ {command}\n" for command, _, now in output)
            page = page[: step.start] + text + page[step.end :]
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The pages on commands, pipelines and replays as steps on a copy of the demo. `python -m tests.docs.commands_page HOME PAGE`
writes a page's outputs anew, from a finished demo's home.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gateway.demo.correction import copy_home
from gateway.previews import end
from resources.home import PROJECT_ROOT, Home
from tests.docs.tutorial import Reader, done, steps
from tests.newcomer import newcomer

PAGES = {name: PROJECT_ROOT / "docs" / f"{name}.md" for name in ("commands", "pipelines", "replay")}
STEPS = {name: steps(page.read_text(encoding="utf-8")) for name, page in PAGES.items()}


@contextmanager
def reader_with_demo(demo_home: Path, folder: Path) -> Iterator[Reader]:
    """Somebody with a clone in which `make demo` has run."""
    (folder / "home").mkdir()
    spice = newcomer(folder)
    copy_home(Home(demo_home), spice.home)
    with ExitStack() as stack:
        stack.callback(end, Home(spice.home))
        yield Reader(spice, folder / "home", stack)


def settled(output: str) -> str:
    """What is the same each time."""
    output = re.sub(r'("recorded_at": ?")[^"]+|20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z', r"\1NOW", output)
    output = re.sub(r'("position": ?|position )[0-9,]+', r"\1N", output)
    output = re.sub(r"34[0-9],[0-9]{3}", "N", output)
    output = re.sub(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{8}-?[0-9a-f]{8}(?=\))", "ID", output
    )
    output = re.sub(r" +[0-9.]+ s\b", " S s", output)
    return "\n".join(" ".join(line.split()) for line in output.splitlines())


def main() -> None:
    name = sys.argv[2]
    page = PAGES[name].read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, reader_with_demo(Path(sys.argv[1]), Path(folder)) as one:
        outputs = [done(one, step) for step in STEPS[name]]
    for step, output in reversed(list(zip(STEPS[name], outputs, strict=True))):
        if output:
            text = "".join(f"$ {command}\n{now}\n" if now else f"$ {command}\n" for command, _, now in output)
            page = page[: step.start] + text + page[step.end :]
    PAGES[name].write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

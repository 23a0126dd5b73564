"""The tutorial's page as steps that are done one after the other, and its outputs as they really are.

Fenced blocks: `csv PATH` is a file to save, `diff PATH` an edit, `yaml excerpt` something that the definition holds,
`console` commands (`$ ...`) with their output, `console background` a server. `python -m tests.docs.tutorial` writes
the outputs anew, and draws the picture.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from resources.home import PROJECT_ROOT
from tests.browser.chromium import chromium
from tests.conftest import Spice
from tests.newcomer import newcomer
from tests.served import free_port, wait

PICTURE = PROJECT_ROOT / "docs" / "pictures" / "tutorial-member.png"
PAGE = PROJECT_ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"```(?P<kind>csv|diff|yaml|console)(?: (?P<about>\S+))?\n(?P<text>.*?)```\n", re.DOTALL)
ADDRESS = "http://127.0.0.1:3100"
DEFINITION = "orchestration/defs/library/domain.yaml"


@dataclass(frozen=True)
class Step:
    """One block; for a console each command with the output that the page shows."""

    kind: str
    about: str
    text: str
    start: int
    end: int

    @property
    def commands(self) -> list[tuple[str, str]]:
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [
            (command.strip(), output.strip("\n")) for command, _, output in (part.partition("\n") for part in parts)
        ]


def steps(page: str) -> list[Step]:
    return [
        Step(found["kind"], found["about"] or "", found["text"], found.start("text"), found.end("text"))
        for found in BLOCK.finditer(page)
    ]


@dataclass
class Reader:
    """Somebody who follows the tutorial: a new clone, a home directory, a server in a second terminal."""

    spice: Spice
    folder: Path
    stack: ExitStack
    address: str = ADDRESS
    answers: dict[str, str] = field(default_factory=dict)

    def place(self, path: str) -> Path:
        return self.folder / path[2:] if path.startswith("~/") else self.spice.project / path

    def save(self, step: Step) -> None:
        self.place(step.about).parent.mkdir(parents=True, exist_ok=True)
        self.place(step.about).write_text(step.text, encoding="utf-8")

    def edit(self, step: Step) -> None:
        """Replace the lines before (` ` and `-`) by those after (` ` and `+`); they stand there exactly once."""
        lines = step.text.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        path = self.place(step.about)
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"these lines stand {text.count(before)} times in {step.about}:\n{before}"
        path.write_text(text.replace(before, after), encoding="utf-8")

    def run(self, command: str) -> str:
        """What a terminal shows: both outputs."""
        if command.startswith("curl "):
            return self.curl(command)
        line = command.replace(".venv/bin/spice", f"{shlex.quote(sys.executable)} -m gateway.cli.main")
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.spice.project, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return "\n".join(text.rstrip() for text in done.stdout.strip("\n").splitlines())

    def curl(self, command: str) -> str:
        words = shlex.split(command)
        body = words[words.index("-d") + 1] if "-d" in words else None
        url = next(word for word in words if word.startswith("http")).replace(ADDRESS, self.address)
        headers = dict([words[words.index("-H") + 1].split(": ")]) if "-H" in words else {}
        answer = httpx.request("GET" if body is None else "POST", url, content=body, headers=headers)
        return json.dumps(answer.json(), indent=4) if "json.tool" in words else answer.text

    def serve(self, step: Step) -> None:
        ((command, _),) = step.commands
        assert command == ".venv/bin/spice serve"
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.main", "serve", "--port", str(port)],
            cwd=self.spice.project, env=self.environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def stop() -> None:
            server.terminate()
            server.wait(20)

        self.stack.callback(stop)
        self.address = f"http://127.0.0.1:{port}"
        wait(self.address, server)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SPICE_")}
        return {**kept, "HOME": str(self.folder), "PYTHONPATH": str(self.spice.project), "PYTHONUNBUFFERED": "1"}


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    (folder / "home").mkdir()
    with ExitStack() as stack:
        yield Reader(newcomer(folder), folder / "home", stack)


def shown(command: str, output: str) -> list[str]:
    """What of an output is the same each time; the stages of a run may end in another order."""
    if command.startswith("curl "):
        return [json.dumps(json.loads(output), sort_keys=True)]
    output = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", output)
    output = re.sub(r"20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z", "NOW", output)
    output = re.sub(r"[0-9]+\.[0-9]+ s", "N s", output)
    lines = [" ".join(line.split()) for line in output.splitlines()]
    return sorted(lines) if " run " in command else lines


def done(one: Reader, step: Step) -> list[tuple[str, str, str]]:
    """Do a step; of a console: command, output on the page, output now."""
    if step.kind == "csv":
        one.save(step)
    elif step.kind == "diff":
        one.edit(step)
    elif step.kind == "yaml":
        assert step.text in one.place(DEFINITION).read_text(encoding="utf-8"), step.text
    elif step.about == "background":
        one.serve(step)
    else:
        return [(command, output, one.run(command)) for command, output in step.commands]
    return []


def recorded(page: str) -> str:
    """The page with every output as it is now."""
    with tempfile.TemporaryDirectory() as folder, reader(Path(folder)) as one:
        outputs = {step.start: done(one, step) for step in steps(page)}
        one.serve(next(step for step in steps(page) if step.about == "background"))  # with the edited definition
        draw(f"{one.address}/objects/Member/Mina?lang=ko", PICTURE)
    for step in reversed(steps(page)):
        if outputs[step.start]:
            text = "".join(
                f"$ {command}\n{now}\n" if now else f"$ {command}\n" for command, _, now in outputs[step.start]
            )
            page = page[: step.start] + text + page[step.end :]
    return page


def draw(address: str, path: Path) -> None:
    """A picture of a page of the explorer."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 640})
        page.goto(address)
        page.get_by_text("2024-04-06").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)


if __name__ == "__main__":
    PAGE.write_text(recorded(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

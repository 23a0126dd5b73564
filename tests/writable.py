"""The bakery with objects that people may edit, on a home of the test's own, and followers for it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.readers import open_readers
from ontology_assets.followers.follow import follow
from ontology_assets.followers.progress import StopReason
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.home import Home
from tests.embedded.conftest import Bakery

ALLOWED = {
    "    from: clean/sales\n": "    from: clean/sales\n    edits: allowed\n",
    "{from: clean/shops,": "{from: clean/shops, edits: allowed,",
}


@dataclass(frozen=True)
class Writable:
    """`folder`: definitions in which sales and shops may be edited, months of a shop may not."""

    home: Path
    folder: Path

    @property
    def domain(self) -> Domain:
        return load_domain(self.folder)

    @contextmanager
    def following(self) -> Iterator[None]:
        """All followers at work, in threads of this process."""
        ended = threading.Event()

        def one(at: int) -> None:
            domain = self.domain
            with open_readers(Home(self.home), [domain]) as readers:
                follow(
                    readers.log(domain.name),
                    readers.sinks(domain.name)[at],
                    readers.registry,
                    owner="test",
                    until=float("inf"),
                    stop=lambda: StopReason.REQUESTED if ended.is_set() else None,
                )

        with ExitStack() as stack:
            for at in range(3):
                thread = threading.Thread(target=one, args=(at,))
                thread.start()
                stack.callback(thread.join)
            stack.callback(ended.set)
            yield


def writable(bakery: Bakery, folder: Path) -> Writable:
    """A copy of the finished bakery below `folder`."""
    made = Writable(folder / "home", folder / "defs" / "bakery")
    shutil.copytree(bakery.home, made.home, symlinks=True)
    shutil.copytree(bakery.shop.folder, made.folder)
    file = made.folder / "domain.yaml"
    text = file.read_text()
    for before, after in ALLOWED.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    file.write_text(text)
    return made

"""Waiting until the read models show a command. However many wait, the read models are looked at once a moment.

What is told at the end is of one last look: an undo may have put an older generation in the place of the one before.
"""

import asyncio
from functools import partial

from gateway.http.serving import Asked, Serving
from ontology_assets.commands.errors import DoneParked, NotVisible
from ontology_assets.commands.receipt import Receipt
from ontology_assets.commands.visibility import At, Models, Standing, behind, seen, standing
from resources.errors import SpiceError

LOOK_SECONDS = 0.01


class Arrivals:
    """Of one event loop. What goes wrong while waiting is told as NotVisible or DoneParked: the command is done."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._looks: dict[tuple[Asked, str], asyncio.Task[Standing]] = {}

    async def wait(self, asked: Asked, receipt: Receipt, seconds: float) -> dict[str, str]:
        """Return when every read model is at the command's position and has not set its object aside: the generation
        of each that shows it.
        """
        position = receipt.position
        assert position is not None  # noqa: S101  it is done
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        models = asked.queries.models()
        while True:
            while late := behind(await self._standing(asked, receipt.domain), position):
                if clock() >= until:
                    raise NotVisible(receipt.document(), late, seconds)
            try:
                last = await self._serving.ask(partial(seen, models, receipt.domain, receipt.type, receipt.id))
            except SpiceError as fault:
                raise NotVisible(receipt.document(), _all(models, fault), seconds) from fault
            if behind(last.standing, position):
                continue
            if last.aside:
                raise DoneParked(receipt.document(), last.aside)
            return {name: at.generation for name, at in last.standing.items() if isinstance(at, At)}

    async def _standing(self, asked: Asked, domain: str) -> Standing:
        """The next look, which all who wait share."""
        key = (asked, domain)
        if key not in self._looks:
            self._looks[key] = asyncio.create_task(self._look(asked, domain))
            self._looks[key].add_done_callback(lambda _: self._looks.pop(key))
        return await asyncio.shield(self._looks[key])

    async def _look(self, asked: Asked, domain: str) -> Standing:
        await asyncio.sleep(LOOK_SECONDS)
        models = asked.queries.models()
        try:
            return await self._serving.ask(partial(standing, models, domain))
        except SpiceError as fault:
            return dict.fromkeys(models, fault.detail)


def _all(models: Models, fault: SpiceError) -> dict[str, str]:
    return dict.fromkeys(models, f"can't answer: {fault.detail}")

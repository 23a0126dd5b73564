"""The work of a writer, known beforehand: commands and loads on the simulator's little domain, and what they come to.

What they come to is worked out by plain arithmetic here, for a writer that does its pieces one after the other. Writers
have objects of their own, and one to which all of them add.
"""

from dataclasses import dataclass

from tests.simulator.domain import DOMAIN, Command, Wish, decision, state_text

__all__ = ["DOMAIN", "LAST", "SHARED", "WRITERS", "Piece", "Wish", "decision", "expected", "pieces", "shared"]

LAST = 30
"""Pieces of a writer."""
KEYS = 5
ROWS = 6
POISON = 7
"""From this piece on one object has a state that the ontology can't hold."""
WRITERS = "wabc"
SHARED = "shared"


@dataclass(frozen=True)
class Piece:
    """What is acknowledged as a whole: a load, or commands that are committed as a group."""

    commands: tuple[Command, ...]

    @property
    def load(self) -> bool:
        return self.commands[0].kind == "load"


def pieces(writer: str) -> list[Piece]:
    """The pieces of one writer. Writers have objects, partitions and numbers of their own."""
    made, number = [], 1_000_000 * WRITERS.index(writer)
    for i in range(LAST):
        key = f"{writer}b{i % KEYS}"
        wanted: list[tuple[str, tuple[str, ...]]]
        if i % 6 == 5:
            rows = tuple((f"{writer}c{k}", i // 6 + k // 3) for k in range(ROWS) if (i // 6 + k) % 4)
            made.append(Piece((Command(number, "load", (), rows=rows, partition=f"{writer}p", way="append"),)))
            number += 1
            continue
        if i == POISON:
            wanted = [("poison", (f"{writer}x",))]
        elif i % 6 == 4:
            wanted = [("delete", (key,)), ("add", (key,)), ("add", (f"{writer}x",))]
        elif i % 6 == 2:
            wanted = [("set", (f"{writer}b0", f"{writer}b1"))]
        else:
            wanted = [("add", (key,))]
            if i % 2:
                wanted.append(("add", (SHARED,)))
        made.append(
            Piece(
                tuple(Command(number + j, kind, keys, 1 + i % 7, way="group") for j, (kind, keys) in enumerate(wanted))
            )
        )
        number += len(wanted)
    return made


def expected(writer: str, last: int = LAST) -> dict[str, list[str]]:
    """By object of the writer alone: its states ("null" when deleted), after the first `last` pieces."""
    found: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for piece in pieces(writer)[:last]:
        for command in piece.commands:
            if command.kind == "load":
                _load(command, found)
                continue
            for key in command.keys if command.keys != (SHARED,) else ():
                n = numbers.get(key, 0) + command.amount if command.kind == "add" else command.amount
                text = state_text(key, n)
                if command.kind == "delete":
                    n, text = 0, "null"
                elif command.kind == "poison":
                    n, text = 0, state_text(key, f"poison {command.number}")
                numbers[key] = n
                found.setdefault(key, []).append(text)
    return found


def shared(writer: str, last: int = LAST) -> dict[str, int]:
    """What the writer's first `last` pieces add to the object that all writers share: amounts by event id."""
    commands = [command for piece in pieces(writer)[:last] for command in piece.commands]
    return {command.event_id(0): command.amount for command in commands if command.keys == (SHARED,)}


def _load(command: Command, found: dict[str, list[str]]) -> None:
    """A load changes what differs, and deletes what it brought before and brings no more."""
    brought = {key: state_text(key, n) for key, n in command.rows}
    of_loads = {key for key in found if key[1] == "c"}
    for key in sorted(of_loads | set(brought)):
        text = brought.get(key, "null")
        if found.get(key, ["null"])[-1] != text:
            found.setdefault(key, []).append(text)

"""`udfs.lock`: the hash of each version of each function in Python, beside the domain file.

A version is its file's text. So a file that changed needs a new version, and an old version never comes back as
something else. `python -m transforms.udf_lock <folder of the domain>` enters what is new, and changes nothing else.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from resources.errors import SpiceError
from transforms.bound_definitions import Udf
from transforms.udf_code import UdfCode
from transforms.validation import validate
from transforms.yaml_reading import read_yaml
from transforms.yaml_source import YamlSource

FILE_NAME = "udfs.lock"
FOLDER = "udfs"
FORMAT = 1
MAX_BYTES = 200_000
HEADER = """\
# The hash of each version of each function in `udfs/`. Written by `python -m transforms.udf_lock`; commit it.
"""
Locked = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Found:
    """A function beside a domain file, or why it is not one."""

    udf: UdfCode | None
    fault: str | None = None


def load_udf(name: str, udf: Udf, domain_file: Path, *, shown: str) -> Found:
    """A declared function with its code. `shown`: the domain file as messages name it."""
    path = domain_file.parent / FOLDER / f"{name}.py"
    file = str(Path(shown).parent / FOLDER / f"{name}.py")
    try:
        content = path.read_bytes()
    except OSError as error:
        return Found(None, f"its file {file} can't be read ({error.strerror or error}).")
    if len(content) > MAX_BYTES:
        return Found(None, f"its file {file} has {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        code = content.decode("utf-8")
    except UnicodeDecodeError:
        return Found(None, f"its file {file} is not UTF-8.")
    return Found(UdfCode(name, udf.version, udf.takes, udf.gives, udf.seconds, udf.memory, file, code))


def lock_fault(udf: UdfCode, locked: Locked, domain_file: Path) -> str | None:
    """What is wrong between a function and the lock."""
    known = locked.get(udf.name, {}).get(udf.version)
    if known is None:
        folder = domain_file.parent
        return (
            f"version {udf.version} of '{udf.name}' is not in {FILE_NAME} yet; run "
            f"`python -m transforms.udf_lock {folder}`."
        )
    if known != udf.code_hash:
        newest = max(locked[udf.name])
        return (
            f"'{udf.file}' changed, and the version of '{udf.name}' is still {udf.version} (locked as "
            f"{known[:12]}, the file is {udf.code_hash[:12]}); write `version: {newest + 1}` or undo the change."
        )
    return None


def read_udf_lock(path: Path) -> Locked:
    """Name -> version -> hash; a lock that is not there is empty. Raises DefinitionError."""
    if not path.exists():
        return {}
    source = read_yaml(path)
    data = source.data if isinstance(source.data, dict) else {}
    if data.get("spice") != FORMAT:
        source.fault(("spice",), f"version {data.get('spice')!r} of the lock is not known.", [str(FORMAT)])
    found: dict[str, dict[int, str]] = {}
    functions = data.get("udfs")
    for name, versions in functions.items() if isinstance(functions, dict) else ():
        for version, known in versions.items() if isinstance(versions, dict) else ():
            if not str(version).isdigit() or not isinstance(known, str):
                source.fault(("udfs", name, version), "should be `version: hash`.")
            else:
                found.setdefault(name, {})[int(version)] = known
    source.raise_faults()
    return found


def render(locked: Locked) -> str:
    lines = [HEADER + f"spice: {FORMAT}", "udfs:" if locked else "udfs: {}"]
    for name in sorted(locked):
        lines.append(f"  {name}:")
        lines += [f'    {version}: "{known}"' for version, known in sorted(locked[name].items())]
    return "\n".join(lines) + "\n"


def lock(folder: Path) -> list[str]:
    """Enter the new versions of a domain's functions; returns them as `name version`. Raises where one changed."""
    domain_file = folder / "domain.yaml"
    source = read_yaml(domain_file)
    declared = source.data.get("udfs") if isinstance(source.data, dict) else None
    path = folder / FILE_NAME
    locked = {name: dict(versions) for name, versions in read_udf_lock(path).items()}
    entered = []
    for name, data in (declared or {}).items():
        one = _read(name, data, source)
        if one is None:
            continue
        known = locked.setdefault(name, {})
        if one.version not in known:
            known[one.version] = one.code_hash
            entered.append(f"{name} {one.version}")
        elif (fault := lock_fault(one, locked, domain_file)) is not None:
            source.fault(("udfs", name, "version"), fault)
    source.raise_faults()
    if entered:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(render(locked), "utf-8")
        temporary.replace(path)
    return entered


def _read(name: str, data: object, source: YamlSource) -> UdfCode | None:
    udf = validate(Udf, data, source, ("udfs", name))
    if udf is None:
        return None
    found = load_udf(name, udf, source.path, shown=source.name)
    if found.fault is not None:
        source.fault(("udfs", name), found.fault, key=True)
    return found.udf


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m transforms.udf_lock <folder of the domain>\n")
        return 2
    try:
        entered = lock(Path(arguments[0]))
    except SpiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{one} entered\n" for one in entered) or "nothing new\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

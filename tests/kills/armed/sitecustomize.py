"""For every Python below a `spice dev` that is to lose a follower: traps in its databases, sprung by a file.

Python runs this at its start when this folder is in PYTHONPATH. The file that SPICE_TRAP names holds a point; the first
process that comes there dies, and takes the file with it. Nothing of the product is loaded here.
"""

import importlib.util
import os
from pathlib import Path

if os.environ.get("SPICE_TRAP"):
    spec = importlib.util.spec_from_file_location("spice_traps", Path(__file__).parents[1] / "traps.py")
    assert spec is not None
    assert spec.loader is not None
    traps = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(traps)
    traps.in_databases(traps.ArmedTrap(Path(os.environ["SPICE_TRAP"])))

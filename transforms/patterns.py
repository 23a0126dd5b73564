"""Regular expressions that users write, held to what runs in linear time on every engine.

Sail's engine is linear by construction, Spark's and Python's backtrack. So what makes backtracking explode is refused:
a repeated group that itself repeats or branches, back references, look-around, and large counts.
"""

import re
import warnings

MAX_LENGTH = 200
MAX_COUNT = 1000
MAX_REPEATS = 8
REPEATED = "repeats a group that itself repeats or branches, which can take for ever"
QUANTIFIER = re.compile(r"[*+?]|\{(\d*)(,(\d*))?\}")


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern, as the end of a sentence; None where it may be used."""
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern)
    except FutureWarning:
        return "holds '[[', '--', '&&', '||' or '~~' in a class, which engines read in different ways; escape them"
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression ({error})"
    return _Scan(pattern).fault()


class _Scan:
    """One pass over a pattern that compiles, with a stack of open groups."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.repeats = 0
        self.groups: list[bool] = [False]  # per open group: does it repeat or branch inside

    def fault(self) -> str | None:
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            inside = False
            if character == "(":
                fault = self.open_group()
                if fault:
                    return fault
                continue
            if character == ")":
                inside = self.groups.pop()
                self.at += 1
            elif character == "\\":
                if self.pattern[self.at + 1 : self.at + 2].isdigit():
                    return "refers back to a group, which no linear engine does"
                self.at += 2
            elif character == "[":
                self.skip_class()
            elif character == "|":
                self.groups[-1] = True
                self.at += 1
                continue
            else:
                self.at += 1
            fault = self.quantifier(inside=inside)
            if fault:
                return fault
            self.groups[-1] = self.groups[-1] or inside
        return None

    def open_group(self) -> str | None:
        self.groups.append(False)
        if self.pattern.startswith("(?:", self.at):
            self.at += 3
        elif self.pattern.startswith("(?", self.at):
            return "uses '(?'; only groups '(' and '(?:' are allowed"
        else:
            self.at += 1
        return None

    def skip_class(self) -> None:
        """Move behind `[...]`; a `]` that stands first is one of its characters."""
        self.at += 2 if self.pattern.startswith("[^", self.at) else 1
        first = True
        while self.at < len(self.pattern) and (first or self.pattern[self.at] != "]"):
            self.at += 2 if self.pattern[self.at] == "\\" else 1
            first = False
        self.at += 1

    def quantifier(self, *, inside: bool) -> str | None:  # noqa: PLR0911 - an exit for each thing that is refused
        match = QUANTIFIER.match(self.pattern, self.at)
        if match is None:
            return None
        self.at = match.end()
        if self.pattern[self.at : self.at + 1] == "?":
            self.at += 1
        elif self.pattern[self.at : self.at + 1] == "+":
            return "uses a possessive quantifier, which not every engine has"
        counts = [int(count) for count in (match[1], match[3]) if count]
        if any(count > MAX_COUNT for count in counts):
            return f"repeats more than {MAX_COUNT} times"
        if match[0].startswith("{") and match[2] is None:  # an exact count can't be taken in two ways
            return REPEATED if inside else None
        if match[0] == "?":
            self.groups[-1] = True
            return None
        self.repeats += 1
        if self.repeats > MAX_REPEATS:
            return f"has more than {MAX_REPEATS} repetitions"
        if inside:
            return REPEATED
        self.groups[-1] = True
        return None

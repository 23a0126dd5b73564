"""A regular expression in the words that every engine reads alike.

Rust's engine takes `d`, `w`, `s` and `b` behind a backslash for all of Unicode, Java's for ASCII; `.` leaves out other
ends of lines, and Java's `$` also matches before the last one. So a pattern is written anew: classes as their ASCII
characters, `.` as all but a newline, `$` as the very end. What can't be written so is refused.
"""

import re

CLASSES = {"d": "0-9", "w": "0-9A-Z_a-z", "s": "\\t\\n\\x0B\\f\\r "}
CONTROL = {"n": "\\n", "r": "\\r", "t": "\\t", "f": "\\f"}
SPECIAL = frozenset("\\.^$|?*+()[]{}&~#-")


class NotPortable(Exception):
    """What engines read in different ways, as the end of a sentence."""


def portable(pattern: str) -> str:
    """The pattern in common words; it must be one that `transforms.patterns` finds no fault with."""
    return _Writer(pattern).written()


def matches_nothing(pattern: str) -> bool:
    """Whether it can match an empty text: engines differ in where they do so inside of others."""
    return re.search(pattern, "") is not None


class _Writer:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def written(self) -> str:
        out: list[str] = []
        while self.at < len(self.pattern):
            character = self.pattern[self.at]
            self.at += 1
            if character == "\\":
                out.append(self.escaped())
            elif character == "[":
                out.append(self.class_())
            elif character == ".":
                out.append("[^\\n]")
            elif character == "$":
                out.append("\\z")
            elif character in "{}" and not self.counts():
                out.append("\\" + character)
            else:
                out.append(character if character in "^|?*+(){}:" else literal(character))
        return "".join(out)

    def counts(self) -> bool:
        """Whether the brace before here belongs to a count such as {2,3}."""
        around = self.pattern[: self.at].rpartition("{")[2] if self.pattern[self.at - 1] == "}" else None
        if around is not None:
            return re.fullmatch(r"[0-9]+(,[0-9]*)?\}", around) is not None
        return re.match(r"[0-9]+(,[0-9]*)?\}", self.pattern[self.at :]) is not None

    def escaped(self) -> str:
        letter = self.pattern[self.at]
        self.at += 1
        if letter in CLASSES:
            return f"[{CLASSES[letter]}]"
        if letter.lower() in CLASSES:
            return f"[^{CLASSES[letter.lower()]}]"
        return self.one(letter)

    def one(self, letter: str) -> str:
        """What a backslash and one letter stand for, where that is a single character."""
        if letter in CONTROL:
            return CONTROL[letter]
        if letter.isalnum():
            raise NotPortable(f"holds '\\{letter}', which engines read in different ways")
        return literal(letter)

    def class_(self) -> str:
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        items: list[str] = []
        first = True
        while first or self.pattern[self.at] != "]":
            first = False
            items.append(self.item())
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def item(self) -> str:
        """A character, a range or a class inside of brackets."""
        low = self.member()
        last = self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at)
        if not last or len(low) > 2:  # a class begins no range
            return low
        self.at += 1
        return f"{low}-{self.member()}"

    def member(self) -> str:
        character = self.pattern[self.at]
        self.at += 1
        if character != "\\":
            return literal(character)
        letter = self.pattern[self.at]
        self.at += 1
        if letter in CLASSES:
            return CLASSES[letter]
        if letter.lower() in CLASSES:
            raise NotPortable(f"holds '\\{letter}' inside of brackets; write the characters")
        return self.one(letter)


def literal(character: str) -> str:
    return "\\" + character if character in SPECIAL else character

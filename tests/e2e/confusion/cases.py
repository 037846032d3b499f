"""What a row of the tables is, and the words in which the rows are written."""

import dataclasses

CRLF = b"\r\n"


@dataclasses.dataclass
class Case:
    family: str
    name: str
    source: str
    raw: bytes
    # What must come of it: REFUSED, EITHER, or a list of what the other side gets.
    wants: object
    # Of what passes: names of fields that must not have been passed on, and field lines that must.
    lacks: tuple = ()
    keeps: tuple = ()
    # Responses: what was asked, and whether the upstream closes behind the bytes, by a reset.
    method: str = "GET"
    closes: bool = False
    resets: bool = False

    def __str__(self):
        return f"{self.family}: {self.name} ({self.source})"


REFUSED = "refused"
# Both ways are allowed, as long as all that take part read the same.
EITHER = "either"


class Table(list):
    """Cases; those that are added belong to the family that was named last."""

    def family(self, name, source):
        self.current = (name, source)

    def add(self, name, raw, wants, source=None, **more):
        family, usual = self.current
        self.append(Case(family, name, source or usual, raw, wants, **more))

    def families(self):
        counts = {}
        for case in self:
            counts[case.family] = counts.get(case.family, 0) + 1
        return counts


def show(data):
    """Bytes as a name: short, and different where they differ."""
    text = repr(data)[2:-1]
    return text if len(text) <= 40 else f"{text[:28]}... ({len(data)} bytes)"


def chunked(*chunks, trailers=b""):
    """A whole chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + CRLF


def lines(*fields):
    return b"".join(field + CRLF for field in fields)

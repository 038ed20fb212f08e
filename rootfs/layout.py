# SPDX-License-Identifier: ISC
"""The disk, layout v1: the rows of init/layout.def for Python."""
import os
import re


def found(pattern):
    with open(os.path.dirname(os.path.abspath(__file__)) + "/../init/layout.def", encoding="ascii") as f:
        return re.findall(pattern, f.read(), re.M)


def loaders():
    """Their words, in the order of STARTS."""
    return found(r'^LOADER\("([\w-]+)",')


def places():
    """{id: (start, size)} in octets; of what lies in a slot, from its beginning."""
    rows = found(r"^(?:PLACE|SLOT)\((\w+), *(\d+), *(\d+)\)")
    return {name: (int(start) << 10, int(size) << 10) for name, start, size in rows}

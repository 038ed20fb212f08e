# SPDX-License-Identifier: ISC
"""The disk, layout v1: the rows of init/layout.def for Python."""
import os
import re


def places():
    """{id: (start, size)} in octets; of what lies in a slot, from its beginning."""
    with open(os.path.dirname(os.path.abspath(__file__)) + "/../init/layout.def", encoding="ascii") as f:
        rows = re.findall(r"^(?:PLACE|SLOT)\((\w+), *(\d+), *(\d+)\)", f.read(), re.M)
    return {name: (int(start) << 10, int(size) << 10) for name, start, size in rows}

"""A small shop of four services: users, products, orders, and a gateway in front of them.

`python -m sample_app` starts all of it on this machine; `docker compose up` in this folder does so in containers.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is how somebody with an older one learns of it
    sys.exit(
        "The shop needs Python 3.11 or newer, and this is "
        + sys.version.split()[0]
        + ": start it with a newer one, python3.12 for example."
    )

"""Python imports this at start-up in every child process of the tests: none of them leaves the machine either."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))  # noqa: PTH120

from support import loopback_only

loopback_only.install()
sys.path.pop(0)

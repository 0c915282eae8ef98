"""``python -m optviz`` is the same as the command ``optviz``."""

import sys

from optviz.cli import main

if __name__ == "__main__":
    sys.exit(main())

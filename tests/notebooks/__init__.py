"""How the notebooks are run as tests, and what they must hold to."""

from pathlib import Path

SANITIZE = Path(__file__).with_name("sanitize.cfg")

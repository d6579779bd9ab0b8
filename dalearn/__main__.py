"""``python -m dalearn`` is the command ``dalearn``."""

import sys

from dalearn.cli import main

sys.exit(main())

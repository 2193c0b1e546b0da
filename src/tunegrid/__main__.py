"""`python -m tunegrid` is the `tunegrid` command."""

import sys

from tunegrid.cli import main

sys.exit(main())

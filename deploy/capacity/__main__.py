"""``python -m deploy.capacity``."""

import sys

from deploy.capacity.command import main

sys.exit(main())

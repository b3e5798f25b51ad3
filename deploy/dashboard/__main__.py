"""``python -m deploy.dashboard``."""

import sys

from deploy.dashboard.dashboard import main

sys.exit(main())

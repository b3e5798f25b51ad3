"""``python -m deploy.replay``."""

import sys

from deploy.replay.replay import main

sys.exit(main())

"""``python -m deploy.capacity``."""

import sys

from deploy.capacity.model import main

sys.exit(main())

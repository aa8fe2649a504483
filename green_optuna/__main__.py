"""``python -m green_optuna`` is ``green-optuna``."""

import sys

from green_optuna.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""The command line of a study."""

from __future__ import annotations

import argparse

from models.cli.study import add_arguments


def parse(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])

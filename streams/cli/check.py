"""``interest-stream check``: everything that the worker checks at start, and nothing else."""

from __future__ import annotations

import argparse
import asyncio

from streams.bundles.bundle import Bundle
from streams.cli.worker import add_arguments
from streams.inference.engine import Engine
from streams.runtime.checks import check_bundle, check_topics
from streams.runtime.options import client_options
from streams.settings import load_settings
from streams.settings.load import config_path
from streams.settings.logs import configure_logging

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> int:
    """Check settings, bundle, ONNX providers, broker and topics; 0 where all is well."""
    settings = load_settings(config_path(args.config))
    configure_logging("warning")
    names = ", ".join(settings.platform_names())
    print(f"settings  ok  {len(settings.platforms)} platforms: {names}")
    bundle = Bundle.load(settings.service.bundle)
    check_bundle(settings, bundle.contract)
    items = sum(len(table.id_list) for table in bundle.items.values())
    print(f"bundle    ok  {bundle.bundle_id}, {items:,} items, golden outputs agree")
    engine = Engine(
        bundle.step_path,
        bundle.migrate_path,
        settings.onnx.providers,
        settings.onnx.threads,
        bundle.halves,
    )
    print(f"onnx      ok  {engine.provider} runs (onnx.providers = {settings.onnx.providers!r})")
    report = asyncio.run(check_topics(settings, client_options(settings)))
    print(f"broker    ok  {', '.join(settings.kafka.bootstrap)}")
    created = f", {len(report.created)} created" if report.created else ""
    print(f"topics    ok  {len(report.partitions)}{created}")
    for warning in report.warnings:
        print(f"warning   {warning}")
    return 0
